"""Where in memory one object has its reference to another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from memprobe.heap.inside import Inside
from memprobe.heap.shapes import Op, Shapes
from memprobe.target.cpython.objects import UNREADABLE, is_pointer
from memprobe.target.cpython.python import Python

_WORD = 8
_TAGS = 3
_LARGEST = 1 << 20
_MAXIMUM_VALUES = 64


class Slot(NamedTuple):
    """One reference in memory."""

    address: int
    """Of the word that is the reference; 0 if it was not found."""

    anchor: int = 0
    """Of the word that says where the table is in which the slot lies; 0 if it lies in the object itself.

    A table that was given up keeps its content for a while: only as long as the anchor is what it was,
    the slot means anything.
    """

    table: int = 0
    """What that word was."""


class _Region(NamedTuple):
    """Memory in which an object can have references."""

    address: int
    size: int
    anchor: int = 0


class SlotFinder:
    """Finds the word of an object that holds a reference."""

    def __init__(self, python: Python) -> None:
        layout = python.layout
        self._objects = python.objects
        self._dictionaries = python.dictionaries
        self._version = layout.version
        self._shapes = Shapes(python.objects)
        self._inside = Inside(python.objects)
        self._keys = layout.offset("PyDictObject.ma_keys")
        self._values = layout.offset("PyDictObject.ma_values")

    def find(self, owner: int, target: int) -> Slot:
        """Return where one object refers to another."""
        try:
            for region in self._regions(owner):
                table = self._objects.pointer(region.anchor) if region.anchor else 0
                found = self._search(region.address, min(region.size, _LARGEST), target)
                if found:
                    return Slot(found, region.anchor, table)
        except UNREADABLE:
            pass
        return Slot(0)

    def _search(self, address: int, size: int, target: int) -> int:
        if not is_pointer(address) or size < _WORD:
            return 0
        (block,) = self._objects.memory.read_many([(address, size)])
        words = memoryview(block[: len(block) // _WORD * _WORD]).cast("Q")
        places = (index for index, word in enumerate(words) if word & ~_TAGS == target)
        return next((address + index * _WORD for index in places), 0)

    def _regions(self, owner: int) -> Iterator[_Region]:
        """Yield the memory in which an object can have references, the nearest first."""
        kind = self._objects.type_of(owner)
        facts = self._shapes.facts(kind)
        yield _Region(owner, facts.basicsize)
        for member in self._shapes.of_type(kind):
            place = owner + member.offset
            if member.op in (Op.DICT, Op.ODICT):
                yield from self._of_dict(place)
            elif member.op is Op.LIST:
                size = self._objects.pointer(owner + member.extra) * _WORD
                yield _Region(self._objects.pointer(place), size, place)
            elif member.op in (Op.TUPLE, Op.ITEMS):
                yield _Region(place, self._objects.pointer(owner + member.extra) * _WORD)
            elif member.op is Op.INSTANCE:
                yield from self._of_instance(owner, facts.basicsize)

    def _of_dict(self, address: int) -> Iterator[_Region]:
        anchors = (address + self._keys, address + self._values)
        for anchor, (start, size) in zip(anchors, self._dictionaries.value_regions(address), strict=False):
            yield _Region(start, size, anchor)

    def _of_instance(self, owner: int, size: int) -> Iterator[_Region]:
        """Yield where the interpreter keeps the attributes of an instance itself, and in a dict of theirs."""
        dictionary = self._inside.managed_dict(owner)
        if dictionary:
            yield from self._of_dict(dictionary)
        elif self._version >= (3, 13):
            # The word in front of the object becomes the dict's as soon as the values move there.
            yield _Region(owner + size, (_MAXIMUM_VALUES + 1) * _WORD, owner - 3 * _WORD)
        else:
            anchor = owner - (3 if self._version == (3, 12) else 4) * _WORD
            # 3.12 marks a pointer to values, which is one less than where they are, with its lowest bit.
            values = self._objects.pointer(anchor)
            yield _Region(values + (values & 1), _MAXIMUM_VALUES * _WORD, anchor)
