"""A census as rows of the document: one per type name, the most memory first."""

from __future__ import annotations

from collections.abc import Sequence

from memprobe.heap.census import Census, TypeRow
from memprobe.heap.document import EvidencePart, TotalsPart, TypePart
from memprobe.heap.opening import OpenHeap

LOSSES = {
    "torn_pools": "torn pools",
    "broken_chunks": "broken malloc chunks",
    "unreadable_bytes": "unreadable bytes",
    "swapped_bytes": "bytes that are swapped out",
    "torn_tables": "torn tables",
}
"""Counters of a walk that mean that something is missing, and what they count."""


def counted_types(census: Census) -> tuple[TypePart, ...]:
    """The types of a census; those of one name are one row."""
    found: dict[str, list[TypeRow]] = {}
    for row in census.rows:
        found.setdefault(row.name, []).append(row)
    types = [_type(name, rows) for name, rows in found.items()]
    return tuple(sorted(types, key=lambda row: (-row.allocated_bytes, row.type)))


def _type(name: str, rows: Sequence[TypeRow]) -> TypePart:
    return TypePart(
        name,
        sum(row.count for row in rows),
        sum(row.collectable for row in rows),
        sum(row.getsizeof_bytes for row in rows),
        sum(row.allocated_bytes for row in rows),
        churning=any(row.is_churning for row in rows),
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
