"""A course in one line of characters."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(points: Sequence[tuple[float, float]], width: int) -> str:
    """Return the course of (time, value) points in at most `width` characters, lowest to highest."""
    values = _columns(points, width)
    if not values:
        return ""
    low, high = min(values), max(values)
    steps = len(BLOCKS) - 1
    return "".join(
        BLOCKS[round(steps * (value - low) / (high - low)) if high > low else 0] for value in values
    )


def _columns(points: Sequence[tuple[float, float]], width: int) -> list[float]:
    """The last value of each of `width` equal spans; a span without one has that of the span before."""
    if not points or width < 1:
        return []
    begin, end = points[0][0], points[-1][0]
    count = min(width, len(points))
    columns, place, value = [], 0, points[0][1]
    for column in range(count):
        until = begin + (end - begin) * (column + 1) / count
        while place < len(points) and points[place][0] <= until + 1e-9:
            value = points[place][1]
            place += 1
        columns.append(value)
    return columns
