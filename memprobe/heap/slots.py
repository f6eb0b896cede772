"""Where in memory one object has its reference to another."""

from __future__ import annotations

from collections.abc import Iterator

from memprobe.heap.inside import Inside
from memprobe.heap.shapes import Op, Shapes
from memprobe.target.cpython.objects import UNREADABLE, is_pointer
from memprobe.target.cpython.python import Python

_WORD = 8
_TAGS = 3
_LARGEST = 1 << 20
_PREHEADER = 4 * _WORD
_MAXIMUM_VALUES = 64

Region = tuple[int, int]


class SlotFinder:
    """Finds the word of an object that holds a reference."""

    def __init__(self, python: Python) -> None:
        self._objects = python.objects
        self._dictionaries = python.dictionaries
        self._version = python.layout.version
        self._shapes = Shapes(python.objects)
        self._inside = Inside(python.objects)

    def find(self, owner: int, target: int) -> int:
        """Return the address of the word by which one object refers to another, or 0."""
        try:
            for address, size in self._regions(owner):
                found = self._search(address, min(size, _LARGEST), target)
                if found:
                    return found
        except UNREADABLE:
            pass
        return 0

    def _search(self, address: int, size: int, target: int) -> int:
        if not is_pointer(address) or size < _WORD:
            return 0
        (block,) = self._objects.memory.read_many([(address, size)])
        words = memoryview(block[: len(block) // _WORD * _WORD]).cast("Q")
        return next(
            (address + index * _WORD for index, word in enumerate(words) if word & ~_TAGS == target), 0
        )

    def _regions(self, owner: int) -> Iterator[Region]:
        """Yield the memory in which an object can have references, the nearest first."""
        kind = self._objects.type_of(owner)
        facts = self._shapes.facts(kind)
        yield owner, facts.basicsize
        for member in self._shapes.of_type(kind):
            if member.op in (Op.DICT, Op.ODICT):
                yield from self._dictionaries.value_regions(owner + member.offset)
            elif member.op is Op.LIST:
                count = self._objects.pointer(owner + member.extra)
                yield self._objects.pointer(owner + member.offset), count * _WORD
            elif member.op in (Op.TUPLE, Op.ITEMS):
                yield owner + member.offset, self._objects.pointer(owner + member.extra) * _WORD
            elif member.op is Op.INSTANCE:
                yield from self._values(owner, facts.basicsize)
                # Once they are too many, or somebody asked for __dict__, they are in a dict of their own.
                dictionary = self._inside.managed_dict(owner)
                if dictionary:
                    yield from self._dictionaries.value_regions(dictionary)

    def _values(self, owner: int, size: int) -> Iterator[Region]:
        """Yield where the interpreter keeps the attributes of an instance itself."""
        if self._version >= (3, 13):
            yield owner + size, (_MAXIMUM_VALUES + 1) * _WORD
        elif self._version == (3, 12):
            word = self._objects.pointer(owner - 3 * _WORD)
            yield (word + 1, _MAXIMUM_VALUES * _WORD) if word & 1 else (0, 0)
        else:
            yield self._objects.pointer(owner - _PREHEADER), _MAXIMUM_VALUES * _WORD
