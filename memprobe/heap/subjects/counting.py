"""All objects of a large heap by type: counted, or of a very large one estimated from a sample."""

from __future__ import annotations

from dataclasses import dataclass

from memprobe.heap.census import Progress, take_census
from memprobe.heap.opening import OpenHeap, room_of
from memprobe.heap.sampling import take_sample
from memprobe.heap.subjects.type_counts import TypeCount, census_counts

CENSUS_BYTES = 8 << 30
"""Of more memory a census takes longer than 4 s (7 s if it has aged), and a sample must do."""

SAMPLE_BYTES = 1 << 30
"""As much is read then."""

SEED = 1


@dataclass(frozen=True, slots=True)
class Counting:
    """How many objects there are."""

    types: tuple[TypeCount, ...]
    objects: int
    torn_objects: int
    unowned_bytes: int | None
    """Blocks without an object; None if that is not known."""

    remarks: tuple[str, ...]


def count_types(heap: OpenHeap, progress: Progress) -> Counting:
    """Count all objects, or estimate them where that takes too long."""
    room = room_of(heap)
    if room > CENSUS_BYTES:
        return _estimated(heap, SAMPLE_BYTES / room)
    census = take_census(heap, progress)
    return Counting(
        census_counts(census), census.count, census.torn_objects, census.unowned_bytes, census.remarks
    )


def _estimated(heap: OpenHeap, fraction: float) -> Counting:
    sample = take_sample(heap, fraction, SEED)
    sums: dict[str, tuple[float, float]] = {}
    for row in sample.rows:
        count, size = sums.get(row.name, (0.0, 0.0))
        sums[row.name] = count + row.count.value, size + row.allocated_bytes.value
    types = [
        TypeCount(name, round(count), round(size), churning=True) for name, (count, size) in sums.items()
    ]
    types.sort(key=lambda one: (-one.allocated_bytes, one.type))
    said = f"The objects of each type are estimated from {fraction:.1%} of the heap."
    torn = sample.counters["torn_objects"]
    return Counting(tuple(types), round(sample.total_count.value), torn, None, (*sample.remarks, said))
