"""The part of a large heap of which a graph can be had: what is nearest to its roots.

A whole graph takes some 70 bytes an object, and 22 M objects are 1.5 GB. But what leaks has a holder, and
the holder has a name: few steps from a module, a thread's frame or the interpreter. So of a large heap the
NEAREST objects are taken, level by level over all references, of a huge collection only the first entries.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from memprobe.heap.answers import Answers
from memprobe.heap.graph import CUT, HeapGraph, build_part
from memprobe.heap.members import Members
from memprobe.heap.opening import OpenHeap, regions_outside, room_of
from memprobe.heap.roots import Roots, Tier
from memprobe.heap.sampling import take_sample

SMALL_BYTES = 192 << 20
"""Less memory cannot hold more objects than a whole graph may have: some 70 bytes each at least."""

WHOLE_OBJECTS = 2_500_000
"""Of so many a whole graph is made: 250 MB with what comes after it."""

AGAIN = 0.5
"""A heap that was too large once stays so until it has less than this share: else looks would not compare."""

NEAREST = 400_000
"""Objects of the part: 60 to 100 MB, and a second."""

FRACTION = 1 / 64
SEED = 1


def is_large(heap: OpenHeap, *, was_large: bool) -> bool:
    """Say whether a heap has too many objects for a whole graph: by a sample, 0.1 s for 4 GiB."""
    if room_of(heap) < SMALL_BYTES:
        return False
    objects = take_sample(heap, FRACTION, SEED).total_count.value
    return objects > WHOLE_OBJECTS * (AGAIN if was_large else 1)


def answers_near_roots(heap: OpenHeap, most: int = NEAREST) -> Answers:
    """Read the roots, and build the graph of the `most` objects that are nearest to them."""
    members = Members(heap.python)
    reader = Roots(heap.python, members, heap.mappings)
    roots, deferred = reader.read(_is_static(heap)), reader.deferred()
    first = dict.fromkeys(root.place.address for root in roots if root.tier is not Tier.GUESSED)
    answers = Answers(heap, build_part(heap, first, most), members)
    answers.take_roots(roots, deferred)
    return answers


def remark(graph: HeapGraph, objects: int) -> str:
    """Say what was not looked at."""
    cut = int((graph.flags & CUT != 0).sum())
    return (
        f"The heap has {objects:,} objects: types were counted in all of it, but collections and their "
        f"holders were looked for among the {len(graph):,} objects nearest to modules and threads only (of "
        f"{cut:,} that refer to many, among the first), garbage and what only native code holds not at all."
    )


def _is_static(heap: OpenHeap) -> Callable[[int], bool]:
    """Return who says of a type that it lies in a binary, not in the heap."""
    outside = [(start, start + size) for start, size, _ in regions_outside(heap.mappings, heap.arenas)]
    starts = [start for start, _ in outside]

    def is_static(address: int) -> bool:
        index = bisect_right(starts, address) - 1
        return index < 0 or address >= outside[index][1]

    return is_static
