"""What has come and gone between two censuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memprobe.heap.document import GrowthPart, TypePart


def with_growth(now: Sequence[TypePart], before: Sequence[TypePart]) -> tuple[TypePart, ...]:
    """The types of the later census with what was added since, the most memory first.

    A type of which nothing is left stands there with 0 objects.
    """
    earlier = {row.type: row for row in before}
    gone = [replace(row, objects=0, tracked=0, getsizeof_bytes=0, allocated_bytes=0) for row in before]
    rows = {row.type: row for row in (*gone, *now)}
    grown = [replace(row, growth=_growth(row, earlier.get(name))) for name, row in rows.items()]
    return tuple(sorted(grown, key=_rank))


def what_grew(types: Sequence[TypePart]) -> list[str]:
    """The types that have more objects than before, those first that have added most memory."""
    return [row.type for row in types if row.growth and row.growth.objects > 0]


def _growth(row: TypePart, before: TypePart | None) -> GrowthPart:
    if before is None:
        return GrowthPart(row.objects, row.getsizeof_bytes, row.allocated_bytes)
    return GrowthPart(
        row.objects - before.objects,
        row.getsizeof_bytes - before.getsizeof_bytes,
        row.allocated_bytes - before.allocated_bytes,
    )


def _rank(row: TypePart) -> tuple[int, int, str]:
    assert row.growth is not None
    return -row.growth.allocated_bytes, -row.growth.objects, row.type
