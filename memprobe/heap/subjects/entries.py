"""What the entries of a collection tell: whether its keys can come again, and which entry is the first.

What a cache is asked for comes again, and there is an end to it; a running number never does, and a random
one hardly. Some keys, evenly over the order of insertion, are enough to see that. Nothing of what they say
leaves this module but one of two sentences.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate

from memprobe.heap.types import TypeBook
from memprobe.target.cpython.dictionaries import Dictionaries
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.objects import UNREADABLE, Objects
from memprobe.vocab.subject import KEYS_AT_RANDOM, KEYS_RISE

SAMPLED = 64
"""Keys that are read."""

LEAST = 32
"""Of fewer keys nothing is said: numbers that rise by chance are few."""

MOSTLY = 0.95
"""So many keys must be of one sort, and so many of them above all before."""

LONGEST = 200
"""Characters of a key that are read."""

ALIGNED = 16
"""Numbers that can all be divided by this are addresses, which come again."""

DICTS = frozenset({"dict", "collections.OrderedDict", "collections.defaultdict"})

_NUMBER = re.compile(r"[0-9]+")
_RANDOM = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}", re.I)


class Entries:
    """Reads entries of the collections of one target."""

    def __init__(self, objects: Objects, types: TypeBook) -> None:
        layout = objects.layout
        self._objects = objects
        self._types = types
        self._dictionaries = Dictionaries(objects)
        self._list = Fields(layout, "PyListObject", "ob_item")
        self._deque = Fields(layout, "dequeobject", "leftblock", "leftindex:signed")
        self._length = Fields(layout, "PyVarObject", "ob_size:signed")
        self._links = layout.size("BLOCK") - 8 * (layout.constant("BLOCKLEN") + 1)
        self._firsts: dict[str, Callable[[int], int]] = dict.fromkeys(DICTS, self._first_key)
        self._firsts |= {"list": self._first_item, "collections.deque": self._leftmost}

    def first(self, address: int, base: str) -> int | None:
        """Return where the first entry of a collection is; of a dict its key. None if nobody knows."""
        try:
            return self._firsts[base](address) or None if base in self._firsts else None
        except UNREADABLE:
            return None

    def about_keys(self, address: int, base: str) -> tuple[str, ...]:
        """Return a note if the keys of a dict are such that none of them comes again."""
        try:
            keys = self._dictionaries.some_keys(address, SAMPLED) if base in DICTS else []
            note = self._of_keys(keys)
        except UNREADABLE:
            return ()
        return () if note is None else (note,)

    def _first_key(self, address: int) -> int:
        return next(iter(self._dictionaries.some_keys(address, SAMPLED)), 0)

    def _first_item(self, address: int) -> int:
        (length,) = self._length.read(self._objects.memory, address)
        (items,) = self._list.read(self._objects.memory, address)
        return self._objects.pointer(items) if length > 0 else 0

    def _leftmost(self, address: int) -> int:
        (length,) = self._length.read(self._objects.memory, address)
        block, index = self._deque.read(self._objects.memory, address)
        return self._objects.pointer(block + self._links + 8 * index) if length > 0 else 0

    def _of_keys(self, keys: Sequence[int]) -> str | None:
        kinds = [self._objects.type_of(key) for key in keys]
        kind, count = Counter(kinds).most_common(1)[0] if kinds else (0, 0)
        same = [key for key, one in zip(keys, kinds, strict=True) if one == kind]
        if count < max(LEAST, MOSTLY * len(keys)):
            return None
        match self._types.name(kind):
            case "int":
                return KEYS_RISE if rise([self._objects.integer(key) for key in same]) else None
            case "str":
                texts = self._objects.strings(same, LONGEST)
                return of_texts([texts[key] for key in same if key in texts])
            case _:
                return None


def of_texts(texts: Sequence[str]) -> str | None:
    """Return what some keys have in common that are texts."""
    if sum(_RANDOM.fullmatch(text) is not None for text in texts) >= max(LEAST, MOSTLY * len(texts)):
        return KEYS_AT_RANDOM
    shapes = [tuple(_NUMBER.split(text)) for text in texts]  # as many numbers where it is the same
    shape, count = Counter(shapes).most_common(1)[0] if shapes else ((), 0)
    if count < max(LEAST, MOSTLY * len(texts)):
        return None
    alike = [text for text, one in zip(texts, shapes, strict=True) if one == shape]
    columns = zip(*(map(int, _NUMBER.findall(text)) for text in alike), strict=True)
    return KEYS_RISE if any(rise(column) for column in columns) else None


def rise(numbers: Sequence[int]) -> bool:
    """Say whether numbers only rise, as those do that are given out one after the other."""
    if len(numbers) < LEAST or not any(number % ALIGNED for number in numbers):
        return False
    records = [
        number > highest for number, highest in zip(numbers[1:], accumulate(numbers, max), strict=False)
    ]
    return sum(records) >= MOSTLY * len(records)
