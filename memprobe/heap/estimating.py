"""A sampled census as rows of the document: estimates, and the intervals in which the truth lies."""

from __future__ import annotations

from collections.abc import Sequence

from memprobe.heap.document import IntervalPart, SampledPart, TotalsPart, TypePart
from memprobe.heap.opening import OpenHeap
from memprobe.heap.sampling import Estimate, SampledCensus, SampledRow

CONFIDENCE = 0.95


def sampled_types(census: SampledCensus) -> tuple[TypePart, ...]:
    """The types that were met, the most memory first; those of one name are one row."""
    found: dict[str, list[SampledRow]] = {}
    for row in census.rows:
        found.setdefault(row.name, []).append(row)
    types = [_type(name, rows) for name, rows in found.items()]
    return tuple(sorted(types, key=lambda row: (-row.allocated_bytes, row.type)))


def sampled_totals(
    heap: OpenHeap, census: SampledCensus, types: Sequence[TypePart], rss: int | None
) -> TotalsPart:
    """Everything together; tables of 64 KiB and more are in no row, but here."""
    arenas_bytes = sum(arena.size for arena in heap.arenas) if heap.arenas else None
    free = None if arenas_bytes is None else max(0, arenas_bytes - round(census.pool_bytes.value))
    return TotalsPart(
        rss_bytes=rss,
        objects=round(census.total_count.value),
        tracked=None,
        getsizeof_bytes=None,
        allocated_bytes=sum(row.allocated_bytes for row in types) + census.large_table_bytes,
        types=None,
        arenas=len(heap.arenas) or None,
        arenas_bytes=arenas_bytes,
        arena_free_bytes=free,
        fragmentation_pct=None if not arenas_bytes or free is None else round(100 * free / arenas_bytes, 1),
    )


def sampled_part(census: SampledCensus, seed: int) -> SampledPart:
    """How the sample was drawn."""
    return SampledPart(census.fraction, census.pools_read, census.pools, CONFIDENCE, seed)


def _type(name: str, rows: Sequence[SampledRow]) -> TypePart:
    return TypePart(
        name,
        round(sum(row.count.value for row in rows)),
        None,
        round(sum(row.getsizeof_bytes.value for row in rows)),
        round(sum(row.allocated_bytes.value for row in rows)),
        interval=IntervalPart(
            _interval([row.count for row in rows]), _interval([row.allocated_bytes for row in rows])
        ),
    )


def _interval(estimates: Sequence[Estimate]) -> tuple[int, int]:
    """The interval of a sum: as wide as if all were off to the same side."""
    low = sum(max(0.0, estimate.low) for estimate in estimates)
    high = sum(estimate.high for estimate in estimates)
    return int(low), int(-(-high // 1))
