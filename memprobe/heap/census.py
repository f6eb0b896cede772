"""How many objects of each type there are, and what they take."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from memprobe.heap.opening import OpenHeap

_NUMBERS = 6
_CHANGED = 0.02
_CHANGES = 3
_FOREIGN_BYTES = 4 << 20
_ATTEMPTS = 3

Progress = Callable[[int, int], object]
"""Called now and then with the bytes walked and those in all, and once when they are equal."""


@dataclass(frozen=True, slots=True)
class TypeRow:
    """All objects of one type."""

    address: int
    """Of the type object."""

    name: str
    """As a person would type it."""

    count: int

    tracked: int
    """Of these, in a list of the collector."""

    frozen: int
    """Of the tracked ones, put aside by gc.freeze(): gc.get_objects() does not have them."""

    unsure: int
    """Of these, from memory that would not hold still."""

    large: int
    """Of these, outside Python's own arenas."""

    getsizeof_bytes: int
    """As sys.getsizeof counts."""

    allocated_bytes: int
    """What the allocators took for them: blocks, tables, headers, rounding."""

    watched: int
    """Of these, in pools that were looked at again when the walk was over."""

    changed: int
    """Objects that had come or gone there meanwhile."""

    @property
    def is_churning(self) -> bool:
        """Whether objects came and went during the walk, so that the numbers are of no one moment.

        One that took the very place of another of its type is not seen, nor does it change a number.
        """
        return is_churning(self.watched, self.changed)

    @property
    def collectable(self) -> int:
        """How many of them gc.get_objects() has."""
        return self.tracked - self.frozen


@dataclass(frozen=True, slots=True)
class Census:
    """A heap, counted once."""

    rows: tuple[TypeRow, ...]
    """The largest first, by allocated_bytes."""

    counters: dict[str, int]
    """What the walk met: see heap_walk.h."""

    unowned_bytes: int
    """Live blocks in Python's arenas that belong to no object: buffers of C code and others."""

    frozen_is_known: bool
    """Whether the list of frozen objects could be followed to its end; if not, frozen is 0."""

    seconds: float
    """What the walk took."""

    remarks: tuple[str, ...]
    """What a reader should know, as sentences."""

    @property
    def count(self) -> int:
        """Objects in all."""
        return sum(row.count for row in self.rows)

    @property
    def torn_objects(self) -> int:
        """Objects that were changing while they were read, and could not be read whole."""
        return self.counters["torn_objects"]

    def by_address(self) -> dict[int, TypeRow]:
        """The rows by the address of their type."""
        return {row.address: row for row in self.rows}


def is_churning(watched: int, changed: int) -> bool:
    """Whether so many of the objects looked at twice had come or gone that their number is rough."""
    return changed >= _CHANGES and changed > _CHANGED * watched


def take_census(heap: OpenHeap, progress: Progress | None = None) -> Census:
    """Walk the whole heap once."""
    begin = time.perf_counter()
    numbers, table_bytes = heap.native.census(progress)
    seconds = time.perf_counter() - begin
    counters = heap.native.counters()
    frozen = frozen_counts(heap)
    rows = (_row(heap, *values, frozen or {}) for values in _rows(heap, numbers) if values[1][0])
    return Census(
        rows=tuple(sorted(rows, key=lambda row: (-row.allocated_bytes, row.address))),
        counters=counters,
        unowned_bytes=max(0, counters["raw_bytes"] - table_bytes),
        frozen_is_known=frozen is not None,
        seconds=seconds,
        remarks=tuple(remarks(heap, counters)),
    )


def type_addresses(heap: OpenHeap) -> array[int]:
    """Return the addresses of the types that were met, by index."""
    return array("Q", heap.native.types())


def frozen_counts(heap: OpenHeap) -> dict[int, int] | None:
    """Count the frozen objects by type index; None if a list could not be followed to its end."""
    lists = _frozen_lists(heap, heap.native.frozen)
    if lists is None:
        return None
    counts: dict[int, int] = {}
    for numbers in lists:
        for index, count in enumerate(array("Q", numbers)):
            counts[index] = counts.get(index, 0) + count
    return counts


def frozen_addresses(heap: OpenHeap) -> bytes | None:
    """Return the addresses of the frozen objects, 64 bits each; None as above."""
    lists = _frozen_lists(heap, heap.native.frozen_objects)
    return None if lists is None else b"".join(lists)


def _frozen_lists(heap: OpenHeap, follow: Callable[[int], tuple[bytes, bool]]) -> list[bytes] | None:
    """Follow the list of each interpreter."""
    found = []
    for head in heap.python.permanent_heads():
        for _ in range(_ATTEMPTS):
            numbers, is_whole = follow(head)
            if is_whole:
                found.append(numbers)
                break
        else:
            return None
    return found


def remarks(heap: OpenHeap, counters: dict[str, int]) -> Iterator[str]:
    """Say what a reader of the numbers should know."""
    if heap.no_arenas:
        yield f"Objects were looked for among malloc's chunks: {heap.no_arenas}."
    if counters["stepped_bytes"] > max(_FOREIGN_BYTES, counters["chunk_bytes"]):
        yield (
            f"{counters['stepped_bytes'] >> 20} MB are of an allocator that memprobe does not know "
            "(mimalloc, jemalloc): objects in them may be missing."
        )
    if counters["swapped_bytes"]:
        yield (
            f"{counters['swapped_bytes'] >> 10} kB are swapped out and were left there: "
            "objects in them are missing."
        )
    if counters["unreadable_bytes"]:
        yield f"{counters['unreadable_bytes'] >> 10} kB could not be read."
    if counters["torn_pools"]:
        yield (
            f"{counters['torn_pools']} pools changed while they were read: "
            f"{counters['torn_objects']} objects in them may be missing, or counted though dead."
        )


def _rows(heap: OpenHeap, numbers: bytes) -> Iterator[tuple[int, array[int], int]]:
    """Yield (index, numbers, address) of each type."""
    addresses = type_addresses(heap)
    flat, changes = array("Q", numbers), array("Q", heap.native.changes())
    for index in range(len(flat) // _NUMBERS):
        row = flat[index * _NUMBERS : (index + 1) * _NUMBERS]
        yield index, row + changes[2 * index : 2 * index + 2], addresses[index]


def _row(heap: OpenHeap, index: int, numbers: array[int], address: int, frozen: dict[int, int]) -> TypeRow:
    count, tracked, unsure, large, getsizeof_bytes, allocated_bytes, watched, changed = numbers
    return TypeRow(
        address=address,
        name=heap.types.name(address),
        count=count,
        tracked=tracked,
        frozen=min(frozen.get(index, 0), tracked),
        unsure=unsure,
        large=large,
        getsizeof_bytes=getsizeof_bytes,
        allocated_bytes=allocated_bytes,
        watched=watched,
        changed=changed,
    )
