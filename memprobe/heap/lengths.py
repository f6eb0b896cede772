"""How many entries containers have: the size fields of list, dict, set, deque and their like."""

from __future__ import annotations

from collections.abc import Sequence

from memprobe.heap.types import TypeBook
from memprobe.target.cpython.objects import Objects
from memprobe.target.layouts import Layout

_COUNTED = ("set", "frozenset", "collections.deque")
_MAXIMUM_BASES = 16
_LARGEST = 1 << 40


def size_fields(layout: Layout) -> dict[str, int]:
    """Return where each kind of container has its length, by the C type that it is built on."""
    items = layout.offset("PyVarObject.ob_size")
    entries = layout.offset("PyDictObject.ma_used")
    members = layout.offset("PySetObject.used")
    return {
        "list": items,
        "bytearray": items,
        "collections.deque": items,
        "dict": entries,
        "collections.OrderedDict": entries,
        "collections.defaultdict": entries,
        "set": members,
        "frozenset": members,
    }


class Lengths:
    """Reads the lengths of containers of one target, many at once."""

    def __init__(self, objects: Objects, types: TypeBook) -> None:
        layout = objects.layout
        self._memory = objects.memory
        self._objects = objects
        self._types = types
        sizes = size_fields(layout)
        self._by_flag = (
            (layout.constant("Py_TPFLAGS_LIST_SUBCLASS"), sizes["list"]),
            (layout.constant("Py_TPFLAGS_DICT_SUBCLASS"), sizes["dict"]),
        )
        self._by_name = {name: sizes[name] for name in _COUNTED}
        self._offsets: dict[int, int | None] = {}

    def offset(self, type_address: int) -> int | None:
        """Return where objects of a type keep their length; None if they are no containers."""
        if type_address not in self._offsets:
            self._offsets[type_address] = self._offset(type_address)
        return self._offsets[type_address]

    def read(self, containers: Sequence[tuple[int, int]]) -> list[int | None]:
        """Return the lengths of (address, type address) pairs; None where there is none now."""
        head = self._objects.layout.offset("PyObject.ob_type")
        places = [(address, self.offset(kind)) for address, kind in containers]
        regions = [(address, 8 + max(head, offset or 0)) for address, offset in places]
        blocks = self._memory.read_many(regions)
        return [
            _length(block, head, kind, offset)
            for block, (_, kind), (_, offset) in zip(blocks, containers, places, strict=True)
        ]

    def _offset(self, type_address: int) -> int | None:
        facts = self._types.facts(type_address)
        for _ in range(_MAXIMUM_BASES):
            if facts is None:
                return None
            for flag, offset in self._by_flag:
                if facts.flags & flag:
                    return offset
            if facts.name in self._by_name:
                return self._by_name[facts.name]
            facts = self._types.facts(facts.base) if facts.base else None
        return None


def _length(block: bytes, head: int, kind: int, offset: int | None) -> int | None:
    """The length in a block, if the object there is still of the same type."""
    if offset is None or len(block) < max(head, offset) + 8:
        return None
    if int.from_bytes(block[head : head + 8], "little") != kind:
        return None
    length = int.from_bytes(block[offset : offset + 8], "little", signed=True)
    return length if 0 <= length < _LARGEST else None
