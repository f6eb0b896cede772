"""By which functions each sort of container is changed: methods, slots of its type, and exported functions.

To 3.10 that is all there is to lists. From 3.11 on the evaluation loop appends to a list that has room
without a call; one that is full is given more room by PyMem_Realloc, whoever appends, or where that has
been compiled into it by list_resize, which the methods call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from memprobe.abi import MutatorHow
from memprobe.target.cpython.objects import UNREADABLE, Objects

MOST_BASES, MOST_METHODS, MOST_NAME = 64, 256, 32

WORD = 8

NUMBER, SEQUENCE, MAPPING = -24, -16, -8
"""Where a type has its tables of slots, from tp_hash on: the same from 3.8 to 3.15."""

ASSIGN_KEY = (MAPPING, 16)
ASSIGN_ITEM, EXTEND, REPEAT = ((SEQUENCE, offset) for offset in (40, 64, 72))
SUBTRACT, INTERSECT, DIFFER, UNITE = ((NUMBER, offset) for offset in (160, 208, 216, 224))


@dataclass(frozen=True, slots=True)
class Kind:
    """How containers of one sort are changed."""

    size_offset: int

    methods: frozenset[str]

    slots: tuple[tuple[int, int], ...]
    """Tables and offsets in them."""

    exported: tuple[str, ...] = ()

    calling: tuple[str, ...] = ()
    """Exported functions that call others which are not exported, and which change the container."""

    how: MutatorHow = MutatorHow.CHANGES
    """What a hit of them means."""

    is_resized_by_methods: bool = False
    """Whether it is not the methods that count, but what they call that is not exported."""


_SETTERS = ("PyDict_SetItem", "_PyDict_SetItem_Take2", "_PyDict_SetItem_KnownHash")

_LIST = Kind(
    16,
    frozenset({"append", "extend", "insert", "pop", "remove", "clear"}),
    (ASSIGN_KEY, ASSIGN_ITEM, EXTEND, REPEAT),
    ("PyList_Append", "PyList_Insert", "PyList_SetSlice"),
)
_LIST_WITHOUT_CALLS = Kind(
    16,
    frozenset({"append", "extend", "insert"}),
    (),
    ("PyMem_Realloc",),
    how=MutatorHow.REALLOCATES,
    is_resized_by_methods=True,
)
"""Not the methods: appends that call nothing would be taken for their work."""

_DICT = Kind(
    16,
    frozenset({"setdefault", "update", "pop", "popitem", "clear"}),
    (ASSIGN_KEY, UNITE),
    (*_SETTERS, "PyDict_DelItem", "PyDict_Clear"),
    _SETTERS,
)
_SET = Kind(
    24,
    frozenset({"add", "update", "discard", "remove", "pop", "clear"})
    | {"difference_update", "intersection_update", "symmetric_difference_update"},
    (SUBTRACT, INTERSECT, DIFFER, UNITE),
    ("PySet_Add", "PySet_Discard"),
)
_DEQUE = Kind(
    16,
    frozenset({"append", "appendleft", "extend", "extendleft", "insert", "pop", "popleft"})
    | {"remove", "clear"},
    (ASSIGN_ITEM, EXTEND, REPEAT),
)


@dataclass(frozen=True, slots=True)
class Changing:
    """What changes the containers of a type."""

    kind: Kind

    functions: tuple[int, ...]
    """Methods and slots: addresses in the target."""


def changing(objects: Objects, type_address: int) -> Changing | None:
    """Find out what changes the containers of a type; None if that is not known."""
    kinds = {"dict": _DICT, "set": _SET, "collections.deque": _DEQUE}
    kinds["list"] = _LIST if objects.layout.version < (3, 11) else _LIST_WITHOUT_CALLS
    above: list[int] = []
    try:
        for one in _bases(objects, type_address):
            above.append(one)
            kind = kinds.get(objects.type_name(one))
            if kind is not None:
                found = (function for base in above for function in _functions(objects, base, kind))
                return Changing(kind, tuple(dict.fromkeys(found)))
    except UNREADABLE:
        pass
    return None


def _bases(objects: Objects, type_address: int) -> Iterator[int]:
    """A type, and those that it is derived from."""
    offset = objects.layout.offset("PyTypeObject.tp_base")
    for _ in range(MOST_BASES):
        if not type_address:
            return
        yield type_address
        type_address = objects.pointer(type_address + offset)


def _functions(objects: Objects, type_address: int, kind: Kind) -> Iterator[int]:
    """The functions of one type; a class of Python has no methods of this sort, and other slots."""
    table = objects.pointer(type_address + objects.layout.offset("PyTypeObject.tp_methods"))
    if not table:
        return
    yield from _methods(objects, table, kind)
    tables = type_address + objects.layout.offset("PyTypeObject.tp_hash")
    for table, offset in kind.slots:
        found = objects.pointer(tables + table)
        function = objects.pointer(found + offset) if found else 0
        if function:
            yield function


def _methods(objects: Objects, table: int, kind: Kind) -> Iterator[int]:
    """The functions of the methods that change."""
    size = objects.layout.size("PyMethodDef")
    function = objects.layout.offset("PyMethodDef.ml_meth")
    for place in range(table, table + MOST_METHODS * size, size):
        name = objects.pointer(place + objects.layout.offset("PyMethodDef.ml_name"))
        if not name:
            return
        (text,) = objects.memory.read_many([(name, MOST_NAME)])
        if text.partition(b"\0")[0].decode("latin-1") in kind.methods:
            yield objects.pointer(place + function)
