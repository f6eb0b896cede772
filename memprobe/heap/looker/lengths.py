"""The lengths of collections, all in one system call; where they lie, a look has found out.

Collections with one key are one thing: their lengths are added, and where one of them is gone, all are.
The address of a collection that has died comes back as another one, often of the same type: so the
reference to it is looked at, too. Where that is another one now, the collection is not read any more until
the next look finds it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memprobe.vocab import Memory

STILL_NS = 10_000_000_000
"""What has not changed for so long, or not yet, stands still."""

SELDOM_NS = 30_000_000_000
"""What stands still is told so seldom: and once more, as it was, right before it changes."""

_WORD = 8
_TAGS = np.uint64(3)
_COUNT = np.uint64(0xFFFF_FFFF)
_LARGEST = 1 << 40
_HEAD = 32
"""Enough of a list, dict, set or deque: its header, and the word that is its length."""

_COLUMNS = ("address", "type", "size", "slot", "anchor", "table")
_PLACES = np.dtype([(name, "<u8") for name in _COLUMNS])

Length = tuple[str, int, int]
"""Key, length, and when it was that."""


class Size(NamedTuple):
    """How many entries a collection has, and where that is written."""

    address: int
    entries: int
    type: int
    """The address of the collection's type."""


class Lengths:
    """Re-reads the lengths of some collections of one process."""

    def __init__(self, memory: Memory, header: Sequence[int], watched: Sequence[Sequence[Any]]) -> None:
        """`header` says where reference count and type are; `watched` are keys with numbers of _PLACES."""
        self._memory = memory
        self._count, self._type = (offset // _WORD for offset in header)
        keys = list(dict.fromkeys(key for key, *_ in watched))
        number = {key: index for index, key in enumerate(keys)}
        self._keys = np.array(keys, object)
        self._of = np.array([number[key] for key, *_ in watched], np.intp)
        self._places = np.array([tuple(place) for _, *place in watched], _PLACES)
        self._values = np.full(len(keys), -1, np.int64)
        self._read_ns = np.zeros(len(keys), np.int64)
        self._told_ns = np.zeros(len(keys), np.int64)
        self._changed_ns = np.zeros(len(keys), np.int64)

    def read(self, time_ns: int) -> Iterator[Length]:
        """Read all again, and yield what is worth telling; raises a leaf of TargetGone."""
        lengths = self._found(self._places)
        alive = np.ones(len(self._keys), np.bool_)
        alive[self._of[lengths < 0]] = False
        found = np.zeros(len(self._keys), np.int64)
        np.add.at(found, self._of, lengths)
        self._keep(alive)
        found = found[alive]
        changed = found != self._values
        held_back = changed & (self._read_ns > self._told_ns)
        yield from self._lengths(held_back, self._values, self._read_ns)
        self._changed_ns[changed & (self._read_ns > 0)] = time_ns
        moves = (self._changed_ns > 0) & (time_ns - self._changed_ns < STILL_NS)
        due = changed | moves | (time_ns - self._told_ns >= SELDOM_NS)
        self._values, self._read_ns = found, np.full(len(found), time_ns)
        self._told_ns[due] = time_ns
        yield from self._lengths(due, self._values, self._read_ns)

    def now(self, key: str) -> Size | None:
        """Read one again by itself, of several the first; None if it is not there any more."""
        places = self._places[self._keys[self._of] == key][:1]
        if not len(places):
            return None
        length = int(self._found(places)[0])
        if length < 0:
            return None
        address, kind, size = (int(places[0][name]) for name in ("address", "type", "size"))
        return Size(address + size, length, kind)

    def _found(self, places: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
        """Return the length of each collection, -1 of what is not there any more."""
        regions = [
            region
            for address, slot, anchor in zip(
                places["address"].tolist(), places["slot"].tolist(), places["anchor"].tolist(), strict=True
            )
            # A root has no slot, an object's own slot no anchor: then a word is read that nobody looks at.
            for region in ((address, _HEAD), (slot or address, _WORD), (anchor or address, _WORD))
        ]
        buffer = bytearray(len(places) * (_HEAD + 2 * _WORD))
        got = self._memory.read_into(regions, memoryview(buffer))
        words = np.frombuffer(bytes(buffer), "<u8").reshape(len(places), -1)
        whole = np.array(got, np.int64).reshape(len(places), -1).sum(axis=1) == _HEAD + 2 * _WORD
        lengths = np.take_along_axis(words, (places["size"] // _WORD).astype(np.intp)[:, None], axis=1)[:, 0]
        same = (words[:, self._type] == places["type"]) & (words[:, self._count] & _COUNT != 0)
        held = (places["slot"] == 0) | (words[:, -2] & ~_TAGS == places["address"])
        table = (places["anchor"] == 0) | (words[:, -1] == places["table"])
        fine = whole & same & held & table & (lengths < _LARGEST)
        return np.where(fine, lengths.astype(np.int64), np.int64(-1))

    def _keep(self, alive: npt.NDArray[np.bool_]) -> None:
        """Forget what is not there any more."""
        if alive.all():
            return
        which = alive[self._of]
        self._places, self._of = self._places[which], (np.cumsum(alive) - 1)[self._of[which]]
        for name in ("_keys", "_values", "_read_ns", "_told_ns", "_changed_ns"):
            setattr(self, name, getattr(self, name)[alive])

    def _lengths(
        self, which: npt.NDArray[np.bool_], values: npt.NDArray[np.int64], times_ns: npt.NDArray[np.int64]
    ) -> Iterator[Length]:
        keys: list[str] = self._keys[which].tolist()
        yield from zip(keys, values[which].tolist(), times_ns[which].tolist(), strict=True)
