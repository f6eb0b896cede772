"""By which functions each sort of container is changed: methods, slots of its type, and exported functions.

To 3.10 that is all there is to lists. From 3.11 on the evaluation loop appends to a list that has room
without a call, and to one that is full by way of a function that not every build exports (mutator_places.py
finds it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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

    appending: frozenset[str] = frozenset()
    """Methods that only say something of a list that is full, as do `calling`."""

    @property
    def is_seen_full(self) -> bool:
        """Whether appends are seen only where the list is full."""
        return bool(self.appending)


_SETTERS = ("PyDict_SetItem", "_PyDict_SetItem_Take2", "_PyDict_SetItem_KnownHash")

_LIST = Kind(
    16,
    frozenset({"append", "extend", "insert", "pop", "remove", "clear"}),
    (ASSIGN_KEY, ASSIGN_ITEM, EXTEND, REPEAT),
    ("PyList_Append", "PyList_Insert", "PyList_SetSlice"),
)
_LIST_WITHOUT_CALLS = Kind(
    # What takes out is left out: appends that call nothing would be taken for its work.
    16,
    frozenset({"extend", "insert"}),
    (EXTEND,),
    calling=("_PyList_AppendTakeRefListResize", "PyList_Append"),
    appending=frozenset({"append"}),
)
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

    appending: tuple[int, ...]
    """Methods, too."""


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
                appending = (one for base in above for one in _methods(objects, base, kind.appending))
                return Changing(kind, tuple(dict.fromkeys(found)), tuple(dict.fromkeys(appending)))
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
    if not objects.pointer(type_address + objects.layout.offset("PyTypeObject.tp_methods")):
        return
    yield from _methods(objects, type_address, kind.methods)
    tables = type_address + objects.layout.offset("PyTypeObject.tp_hash")
    for table, offset in kind.slots:
        found = objects.pointer(tables + table)
        function = objects.pointer(found + offset) if found else 0
        if function:
            yield function


def _methods(objects: Objects, type_address: int, wanted: frozenset[str]) -> Iterator[int]:
    """The functions of the methods of these names."""
    table = objects.pointer(type_address + objects.layout.offset("PyTypeObject.tp_methods"))
    size = objects.layout.size("PyMethodDef")
    function = objects.layout.offset("PyMethodDef.ml_meth")
    for place in range(table, table + MOST_METHODS * size if table else table, size):
        name = objects.pointer(place + objects.layout.offset("PyMethodDef.ml_name"))
        if not name:
            return
        (text,) = objects.memory.read_many([(name, MOST_NAME)])
        if text.partition(b"\0")[0].decode("latin-1") in wanted:
            yield objects.pointer(place + function)
