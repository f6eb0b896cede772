"""What one type object of the target says of itself."""

from __future__ import annotations

from typing import NamedTuple

from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.objects import BadObject, Objects, is_pointer

MAXIMUM_SLOTS = 4096
"""More members of one class are not believed."""

_NAME_BYTES = 256
_AFTER_ITEMS = 1 << 4  # _Py_AFTER_ITEMS, of 3.15


class TypeFacts(NamedTuple):
    """Some fields of a type object."""

    address: int
    name: str
    """tp_name: "dict", "collections.deque"; of a class made by Python only its own name."""

    flags: int
    basicsize: int
    itemsize: int
    dictoffset: int
    weaklistoffset: int
    base: int
    members: int
    """tp_members, the address of an array of PyMemberDef."""

    size: int
    """ob_size: of a class made by Python, how many slots it has."""

    is_heap: bool
    is_python_class: bool
    """Made by a class statement, and not by C."""

    has_gc: bool
    has_managed_dict: bool


class TypeReader:
    """Reads type objects of one target."""

    def __init__(self, objects: Objects) -> None:
        layout = objects.layout
        self._objects = objects
        self._type = Fields(
            layout,
            "PyTypeObject",
            "tp_name",
            "tp_basicsize:signed",
            "tp_itemsize:signed",
            "tp_flags",
            "tp_weaklistoffset:signed",
            "tp_base",
            "tp_dictoffset:signed",
            "tp_members",
        )
        self._size = layout.offset("PyVarObject.ob_size")
        self._ht_name = layout.offset("PyHeapTypeObject.ht_name")
        self._inline_name = layout.size("PyASCIIObject")
        self._utf8 = layout.offset("PyCompactUnicodeObject.utf8")
        self._heap, self._gc, self._managed = (
            layout.constant(f"Py_TPFLAGS_{name}") if layout.has(f"Py_TPFLAGS_{name}") else 0
            for name in ("HEAPTYPE", "HAVE_GC", "MANAGED_DICT")
        )
        self._member = Fields(layout, "PyMemberDef", "name", "type", "offset", "flags")
        self._member_size = layout.size("PyMemberDef")
        self._slot = layout.constant("T_OBJECT_EX")

    def read(self, address: int) -> TypeFacts:
        """Read a type; what is raised is one of UNREADABLE."""
        block = self._objects.read(address, self._type.end)
        name, basic, item, flags, weak, base, dictionary, members = self._type.unpack(block)
        is_heap = bool(flags & self._heap)
        return TypeFacts(
            address,
            self._objects.type_name(address),
            flags,
            basic,
            item,
            dictionary,
            weak,
            base,
            members,
            int.from_bytes(block[self._size : self._size + 8], "little", signed=True),
            is_heap,
            is_heap and self._is_python_class(address, name),
            bool(flags & self._gc),
            bool(flags & self._managed),
        )

    def slots(self, facts: TypeFacts) -> list[tuple[str, int, bool]]:
        """Return name, offset and whether it counts from the items' end, of the slots that a class adds."""
        if facts.size <= 0 or not is_pointer(facts.members):
            return []
        members = self._members(facts.members, min(facts.size, MAXIMUM_SLOTS))
        return [
            (name, offset, bool(flags & _AFTER_ITEMS))
            for name, kind, offset, flags in members
            if kind == self._slot
        ]

    def fields(self, facts: TypeFacts) -> list[tuple[str, int]]:
        """Return name and offset of the members that a C type declares; the array ends with a zero."""
        if not is_pointer(facts.members):
            return []
        return [(name, offset) for name, _, offset, _ in self._members(facts.members, 64)]

    def _is_python_class(self, address: int, name: int) -> bool:
        """Say whether tp_name is the text of the str object ht_name: C has its names elsewhere."""
        string = self._objects.pointer(address + self._ht_name)
        if name == string + self._inline_name:
            return True
        try:
            return name == self._objects.pointer(string + self._utf8)
        except BadObject:
            return False

    def _members(self, address: int, count: int) -> list[tuple[str, int, int, int]]:
        found = []
        for start in range(address, address + count * self._member_size, self._member_size):
            name, kind, offset, flags = self._member.read(self._objects.memory, start)
            if not name:
                break
            (block,) = self._objects.memory.read_many([(name, _NAME_BYTES)])
            found.append((block.partition(b"\0")[0].decode("utf-8", "replace"), kind, offset, flags))
        return found
