"""Types of the target's objects: described for the C walk, named for people.

Heap types come and go, and their memory is used again: a TypeBook lives as long as one snapshot.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from memprobe.target.cpython.dictionaries import Dictionaries
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer

_RECORD = struct.Struct("<QqqIIII")
_MEMBER_SIZE = 12
_MAXIMUM_BASES = 64
_GC_HEADER = 16
_PREHEADER = 16
_LARGEST_SIZE = 1 << 31


class SizeKind(IntEnum):
    """How the full size of an object is computed; heap_types.h has the same numbers."""

    FIXED = 0
    INT = 1
    STR = 2
    LIST = 3
    DICT = 4
    SET = 5
    BYTEARRAY = 6
    DEQUE = 7
    ODICT = 8
    TYPE = 9
    ARRAY = 10
    BLOCK = 11
    GENERATOR = 12
    BYTESIO = 13


_BY_NAME = {
    "set": SizeKind.SET,
    "frozenset": SizeKind.SET,
    "bytearray": SizeKind.BYTEARRAY,
    "collections.deque": SizeKind.DEQUE,
    "collections.OrderedDict": SizeKind.ODICT,
    "frozendict": SizeKind.DICT,
    "array.array": SizeKind.ARRAY,
    "_io.BytesIO": SizeKind.BYTESIO,
}
_WITHOUT_COUNT = {
    "generator": SizeKind.GENERATOR,
    "coroutine": SizeKind.GENERATOR,
    "async_generator": SizeKind.GENERATOR,
    "frame": SizeKind.BLOCK,
}
"""From 3.11 on these have items, but no ob_size."""

_NEVER_READY = {"functools._lru_list_elem", "functools.KeyWrapper"}
"""Types that CPython uses without PyType_Ready (3.8 and 3.9)."""

_BY_FLAG = {
    "LONG": SizeKind.INT,
    "UNICODE": SizeKind.STR,
    "LIST": SizeKind.LIST,
    "DICT": SizeKind.DICT,
    "TYPE": SizeKind.TYPE,
}


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """What a type object says of itself."""

    address: int
    name: str
    """tp_name: with the module for types of C, without it for classes of Python."""
    flags: int
    basicsize: int
    itemsize: int
    base: int
    dictionary: int
    """Address of tp_dict; 0 for the static types of 3.12 and later."""


Members = Callable[[int], bytes]
"""The packed members of a type's instances (struct heap_member of heap_types.h), by its address."""


def _no_members(_: int) -> bytes:
    return b""


class TypeBook:
    """Describes the types of one target, each once."""

    def __init__(self, objects: Objects, members: Members = _no_members) -> None:
        layout = objects.layout
        self._objects = objects
        self._members = members
        self._dictionaries = Dictionaries(objects)
        self._fields = Fields(
            layout,
            "PyTypeObject",
            "tp_name",
            "tp_basicsize:signed",
            "tp_itemsize:signed",
            "tp_flags",
            "tp_base",
            "tp_dict",
        )
        self._facts: dict[int, TypeFacts | None] = {}
        self._names: dict[int, str] = {}
        self._qualname = layout.offset("PyHeapTypeObject.ht_qualname")
        self._ready = layout.constant("Py_TPFLAGS_READY")
        self._heap = layout.constant("Py_TPFLAGS_HEAPTYPE")
        self._collected = layout.constant("Py_TPFLAGS_HAVE_GC")
        managed = layout.version >= (3, 11)
        self._preheader = layout.constant("Py_TPFLAGS_MANAGED_DICT") if managed else 0
        if layout.version >= (3, 12):
            self._preheader |= layout.constant("Py_TPFLAGS_MANAGED_WEAKREF")
        self._kinds = [
            (layout.constant(f"Py_TPFLAGS_{name}_SUBCLASS"), kind) for name, kind in _BY_FLAG.items()
        ]
        self._by_name = {**_BY_NAME, **(_WITHOUT_COUNT if layout.version >= (3, 11) else {})}

    def describe(self, address: int) -> bytes | None:
        """Return the record that heap_types.h calls heap_type_record, or None if that is no type."""
        try:
            return self._record(address)
        except UNREADABLE:
            return None

    def facts(self, address: int) -> TypeFacts | None:
        """Return what a type says of itself; None if it says nonsense."""
        if address not in self._facts:
            try:
                self._facts[address] = self._read(address)
            except UNREADABLE:
                self._facts[address] = None
        return self._facts[address]

    def name(self, address: int) -> str:
        """Return the name that a person would type: "dict", "collections.deque", "app.models.User"."""
        if address not in self._names:
            self._names[address] = self._name(address)
        return self._names[address]

    def _record(self, address: int) -> bytes | None:
        facts = self.facts(address)
        if facts is None:
            return None
        kind = self._kind(facts)
        members = self._members(address)
        head = _RECORD.pack(
            facts.flags,
            facts.basicsize,
            facts.itemsize,
            kind,
            self._presize(facts.flags),
            len(members) // _MEMBER_SIZE,
            0,
        )
        return head + members

    def _read(self, address: int) -> TypeFacts | None:
        block = self._objects.read(address, self._fields.end)
        _, basicsize, itemsize, flags, base, dictionary = self._fields.unpack(block)
        if not 16 <= basicsize < _LARGEST_SIZE:
            return None
        if not 0 <= itemsize < _LARGEST_SIZE:
            return None
        name = self._objects.type_name(address)
        if not name or not (flags & self._ready or name in _NEVER_READY):
            return None
        return TypeFacts(address, name, flags, basicsize, itemsize, base, dictionary)

    def _presize(self, flags: int) -> int:
        """Return the bytes in front of an object: the collector's header, and what 3.11 and later add."""
        size = _GC_HEADER if flags & self._collected else 0
        return size + _PREHEADER if flags & self._preheader else size

    def _kind(self, facts: TypeFacts) -> SizeKind:
        by_flag = next((kind for flag, kind in self._kinds if facts.flags & flag), None)
        if by_flag is not None and by_flag is not SizeKind.DICT:
            return by_flag
        below: TypeFacts | None = facts
        for _ in range(_MAXIMUM_BASES):
            if below is None:
                break
            # A class of Python has no dot in tp_name, and no other type has a name of ours.
            if not below.flags & self._heap or (below.name in self._by_name and "." in below.name):
                return self._by_name.get(below.name, by_flag or SizeKind.FIXED)
            below = self.facts(below.base) if is_pointer(below.base) else None
        return by_flag or SizeKind.FIXED

    def _name(self, address: int) -> str:
        facts = self.facts(address)
        if facts is None:
            return f"<type at {address:#x}>"
        if not facts.flags & self._heap or "." in facts.name:
            return facts.name
        try:
            return self._qualified(facts)
        except UNREADABLE:
            return facts.name

    def _qualified(self, facts: TypeFacts) -> str:
        """Return module and qualified name of a class that Python code made."""
        qualname = self._objects.string(self._objects.pointer(facts.address + self._qualname))
        module = self._dictionaries.find(facts.dictionary, "__module__") if facts.dictionary else 0
        prefix = self._objects.string(module) if module else ""
        return qualname if prefix in ("", "builtins") else f"{prefix}.{qualname}"
