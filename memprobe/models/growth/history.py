"""What is kept of a series: new points as they are, older ones in ever larger buckets."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NS = 1_000_000_000

KEPT = 16
"""Buckets of one size: the last 16 points as they are, before them 15 or 16 pairs, then fours, ...: a day at
one point a second is some 200 buckets."""

Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Past:
    """The buckets, oldest first; the first of them is the first point alone."""

    time_s: Column
    """Of the last point of each bucket, since the first point of all."""

    value: Column
    """The last of each bucket."""

    low: Column
    high: Column
    drop: Column
    """The deepest fall inside the bucket, from a value to any later one."""

    fallen: Column
    """The sum of all steps down that end in the bucket."""

    rough: Column
    """The sum of (step squared / seconds of the step) over the steps that end in the bucket."""

    pace: Column
    """The sum of 1 / seconds over those steps."""

    points: Column

    ups: Column
    """How many of those steps went up, ..."""

    downs: Column
    """... and down."""


class History:
    """A bounded memory of a series: its size grows with the logarithm of the number of points."""

    __slots__ = ("_columns", "_first_ns", "_levels")

    def __init__(self) -> None:
        self._first_ns = 0
        self._levels = [0]
        self._columns = tuple(array("d") for _ in Past.__slots__)

    def __len__(self) -> int:
        return len(self._columns[0])

    @property
    def first(self) -> float:
        """The first value."""
        return self._columns[1][0]

    @property
    def duration_s(self) -> float:
        """From the first point to the last."""
        return self._columns[0][-1]

    def add(self, time_ns: int, value: float) -> bool:
        """One more point, unless it is not later than the one before."""
        times, values, *_ = self._columns
        if not times:
            self._first_ns = time_ns
            self._append(0.0, value, value, value, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0)
            return True
        now_s = (time_ns - self._first_ns) / NS
        step_s = now_s - times[-1]
        if step_s <= 0.0:
            return False
        step = value - values[-1]
        fallen = -step if step < 0.0 else 0.0
        rough, pace = step * step / step_s, 1.0 / step_s
        ups, downs = float(step > 0.0), float(step < 0.0)
        self._append(now_s, value, value, value, 0.0, fallen, rough, pace, 1.0, ups, downs)
        self._levels[0] += 1
        if self._levels[0] > KEPT:
            self._condense()
        return True

    def past(self) -> Past:
        """The buckets as arrays."""
        return Past(*map(np.array, self._columns))

    def _append(self, *row: float) -> None:
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def _condense(self) -> None:
        """Merges the two oldest buckets of a size of which there are too many."""
        at = len(self)
        for level, number in enumerate(self._levels):
            at -= number
            if number <= KEPT:
                return
            self._merge(at)
            self._levels[level] -= 2
            if level + 1 == len(self._levels):
                self._levels.append(0)
            self._levels[level + 1] += 1
            at += 1

    def _merge(self, at: int) -> None:
        times, values, low, high, drop, *totals = self._columns
        drop[at] = max(drop[at], drop[at + 1], high[at] - low[at + 1])
        low[at] = min(low[at], low[at + 1])
        high[at] = max(high[at], high[at + 1])
        for last in (times, values):
            last[at] = last[at + 1]
        for total in totals:
            total[at] += total[at + 1]
        for column in self._columns:
            del column[at + 1]
