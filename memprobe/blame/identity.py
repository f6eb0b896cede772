"""What a block holds: which type, and what of it stays the same as long as it is the same object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memprobe.heap.types import TypeBook
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer

Words = npt.NDArray[np.uint64]

STARTS = (0, 2, 4)
"""Words in front of an object: none, the collector's header, and from 3.11 on two more in front of that."""

BODY = 4
"""Words behind the type that are compared; of memory that is no object, the first words."""

_COUNT_BITS = np.uint64(0xFFFF_FFFF)
_LOWEST_POINTER, _HIGHEST_POINTER = np.uint64(1 << 32), np.uint64(1 << 48)
_DEPTH = 4

REMEMBERED = 1 << 16
"""Words of which it is known whether they are types; a word of a block may be any pointer of the heap."""


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What some blocks hold, in their order."""

    types: Words
    """Addresses of types; 0 where there is no object."""

    bodies: Words
    """BODY words each."""

    begins: npt.NDArray[np.intp]
    """Which word of the block the body begins with."""

    alive: npt.NDArray[np.bool_]
    """Whether it is not on a list of free objects of its type."""


class Identities:
    """Tells what blocks hold, by their first words."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.types = TypeBook(objects)
        self._is_type: dict[int, bool] = {}

    def of(self, words: Words) -> Contents:
        """Tell it of blocks, each given by its first words."""
        types, counts = np.zeros(len(words), "<u8"), np.ones(len(words), "<u8")
        begins = np.zeros(len(words), np.intp)
        for start in STARTS:
            found = (types == 0) & self._are_types(words[:, start + 1])
            types[found] = words[found, start + 1]
            counts[found] = words[found, start]
            begins[found] = start + 2
        places = begins[:, None] + np.arange(BODY)
        bodies = np.take_along_axis(words, places, axis=1)
        # A dead object in a list of its type has the count 0 or, from 3.14 on, a link instead.
        linked = (counts > _LOWEST_POINTER) & (counts < _HIGHEST_POINTER)
        return Contents(types, bodies, begins, (counts & _COUNT_BITS != 0) & ~linked)

    def name(self, type_address: int) -> str:
        """The name of a type; "" for 0."""
        return self.types.name(type_address) if type_address else ""

    def _are_types(self, words: Words) -> npt.NDArray[np.bool_]:
        distinct, place = np.unique(words, return_inverse=True)
        verdicts = [self._checked(word) for word in distinct.tolist()]
        return np.array(verdicts, bool)[place] if len(words) else np.zeros(0, bool)

    def _checked(self, word: int) -> bool:
        if not is_pointer(word):
            return False
        if word not in self._is_type:
            if len(self._is_type) >= REMEMBERED:
                self._is_type.clear()
            self._is_type[word] = self._leads_to_type(word) and self.types.facts(word) is not None
            if self._is_type[word]:
                self.types.name(word)  # as long as it can be read; it is remembered there
        return self._is_type[word]

    def _leads_to_type(self, address: int) -> bool:
        """Whether the type of what is there is a metatype: its type's type and so on ends in itself."""
        try:
            for _ in range(_DEPTH):
                above = self._objects.type_of(address)
                if above == address:
                    return self._objects.type_name(address) == "type"
                address = above
        except UNREADABLE:
            pass
        return False
