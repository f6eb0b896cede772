"""A census as rows of the document: one per type name, the most memory first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memprobe.heap.document import EvidencePart, TotalsPart, TypePart
from memprobe.heap.opening import OpenHeap
from memprobe.heap.telling import Progress

CHURNING_SHARE = 0.02
"""If more of a type's objects than this were in pools that would not hold still, their count is rough."""

LOSSES = {
    "torn_pools": "torn pools",
    "broken_chunks": "broken malloc chunks",
    "unreadable_bytes": "unreadable bytes",
    "swapped_bytes": "bytes that are swapped out",
    "torn_tables": "torn tables",
}
"""Counters of a walk that mean that something is missing, and what they count."""


def take_census(heap: OpenHeap, progress: Progress) -> tuple[tuple[TypePart, ...], int]:
    """Walk the heap; return its types, and the bytes of tables that lie in the arenas."""
    rows, table_bytes = heap.native.census(progress)
    numbers = np.frombuffer(rows, np.uint64).reshape(-1, 6)
    addresses = np.frombuffer(heap.native.types(), np.uint64)
    found: dict[str, np.ndarray[tuple[int], np.dtype[np.uint64]]] = {}
    for index in np.flatnonzero(numbers[:, 0]):
        name = heap.types.name(int(addresses[index]))
        found[name] = found[name] + numbers[index] if name in found else numbers[index]
    types = [_type(name, [int(number) for number in row]) for name, row in found.items()]
    return tuple(sorted(types, key=lambda row: (-row.allocated_bytes, row.type))), table_bytes


def _type(name: str, row: Sequence[int]) -> TypePart:
    count, tracked, unsure, _, getsizeof_bytes, allocated_bytes = row
    return TypePart(
        name, count, tracked, getsizeof_bytes, allocated_bytes, churning=unsure > CHURNING_SHARE * count
    )


def totals(heap: OpenHeap, types: Sequence[TypePart], rss_bytes: int | None) -> TotalsPart:
    """Everything together, once the heap has been walked."""
    counters = heap.native.counters()
    arenas_bytes = sum(arena.size for arena in heap.arenas) if heap.arenas else None
    used = counters.get("pool_bytes")
    free = None if arenas_bytes is None or used is None else max(0, arenas_bytes - used)
    return TotalsPart(
        rss_bytes=rss_bytes,
        objects=sum(row.objects for row in types),
        tracked=sum(row.tracked or 0 for row in types),
        getsizeof_bytes=sum(row.getsizeof_bytes for row in types),
        allocated_bytes=sum(row.allocated_bytes for row in types),
        types=len(types),
        arenas=len(heap.arenas) or None,
        arenas_bytes=arenas_bytes,
        arena_free_bytes=free,
        fragmentation_pct=None if not arenas_bytes or free is None else round(100 * free / arenas_bytes, 1),
    )


def evidence(heap: OpenHeap) -> EvidencePart:
    """How well the last walk has seen."""
    counters = heap.native.counters()
    lost = {words: counters[name] for name, words in LOSSES.items() if counters.get(name)}
    return EvidencePart(
        torn_objects=counters.get("torn_objects"),
        retried_pools=counters.get("retried_pools"),
        bytes_read=counters.get("bytes_read"),
        lost=lost,
        invisible=(),
    )
