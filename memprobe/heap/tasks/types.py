"""Types of the target: what an object is, what it is called, and what it is a kind of."""

from __future__ import annotations

from collections.abc import Iterable

from memprobe.target.cpython.dictionaries import Dictionaries
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer

MAXIMUM_BASES = 64
"""No real class has a chain of bases as long as this; a made-up one may be circular."""

UNKNOWN_TYPE = "?"


class Types:
    """Answers about types, kept for one look: a type may die and its address be used again."""

    def __init__(self, objects: Objects, dictionaries: Dictionaries) -> None:
        layout = objects.layout
        self._objects = objects
        self._dictionaries = dictionaries
        self._type_offset = layout.offset("PyObject.ob_type")
        self._fields = Fields(layout, "PyTypeObject", "tp_base", "tp_flags", "tp_dict")
        self._qualname = layout.offset("PyHeapTypeObject.ht_qualname")
        self._is_heap = layout.constant("Py_TPFLAGS_HEAPTYPE")
        self._names: dict[int, str] = {}
        self._labels: dict[int, str] = {}
        self._bases: dict[int, tuple[int, ...]] = {}
        self._none = 0

    def of(self, address: int) -> int:
        """The type of one object, 0 if it cannot be read."""
        if not is_pointer(address):
            return 0
        try:
            return int.from_bytes(self._objects.memory.read(address + self._type_offset, 8), "little")
        except UNREADABLE:
            return 0

    def of_many(self, addresses: Iterable[int]) -> dict[int, int]:
        """The types of many objects in one batch; what cannot be read is left out."""
        wanted = [address for address in dict.fromkeys(addresses) if is_pointer(address)]
        blocks = self._objects.memory.read_many([(one + self._type_offset, 8) for one in wanted])
        return {
            address: int.from_bytes(block, "little")
            for address, block in zip(wanted, blocks, strict=True)
            if len(block) == 8
        }

    def is_something(self, address: int) -> bool:
        """Say whether a pointer leads to an object that is not None; of None there is only one."""
        if not is_pointer(address) or address == self._none:
            return False
        if not self._none and self.name(self.of(address)) == "NoneType":
            self._none = address
        return address != self._none

    def name(self, kind: int) -> str:
        """tp_name of a type: "coroutine", "_asyncio.Task", and "Task" of a class in Python."""
        if kind not in self._names:
            try:
                self._names[kind] = self._objects.type_name(kind)
            except UNREADABLE:
                self._names[kind] = UNKNOWN_TYPE
        return self._names[kind]

    def label(self, kind: int) -> str:
        """Module and qualified name of a type, as far as it has them."""
        if kind not in self._labels:
            try:
                self._labels[kind] = self._read_label(kind)
            except UNREADABLE:
                self._labels[kind] = self.name(kind)
        return self._labels[kind]

    def _read_label(self, kind: int) -> str:
        _, flags, namespace = self._fields.unpack(self._objects.read(kind, self._fields.end))
        if not flags & self._is_heap:
            return self.name(kind)
        qualname = self._objects.string(self._objects.pointer(kind + self._qualname))
        module = self._dictionaries.find(namespace, "__module__")
        found = self._objects.strings([module])
        return f"{found[module]}.{qualname}" if module in found else qualname

    def bases(self, kind: int) -> tuple[int, ...]:
        """The type itself and those it is laid out after, the nearest first."""
        if kind not in self._bases:
            chain: dict[int, None] = {}
            base = kind
            while is_pointer(base) and base not in chain and len(chain) < MAXIMUM_BASES:
                chain[base] = None
                block = self._objects.memory.read_many([(base, self._fields.end)])[0]
                base = self._fields.unpack(block)[0] if len(block) == self._fields.end else 0
            self._bases[kind] = tuple(chain)
        return self._bases[kind]

    def is_a(self, kind: int, name: str) -> bool:
        """Say whether a type or one it is laid out after has this tp_name."""
        return any(self.name(base) == name for base in self.bases(kind))

    def namespace(self, kind: int) -> int:
        """The address of a type's own dict, 0 if it cannot be read."""
        try:
            return self._fields.unpack(self._objects.read(kind, self._fields.end))[2]
        except UNREADABLE:
            return 0
