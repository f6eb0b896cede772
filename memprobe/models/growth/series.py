"""One number over time."""

from __future__ import annotations

from math import inf

from memprobe.models.growth.history import History
from memprobe.models.growth.needs import PIECES
from memprobe.models.growth.shape import Growth
from memprobe.models.growth.verdict import still, too_short, verdict

SCALES, COARSER = 4, 16
"""A series is kept as it is, and three times more of every 16th, 256th and 4096th point.

And once more of the points at which the number changed: what comes in batches is regular only there.
"""


class Series:
    """A number over time, and whether it grows for good."""

    __slots__ = ("_age_s", "_changes", "_high", "_last", "_limit", "_low", "_points", "_scales", "_unit")

    def __init__(self, *, limit: int | None = None, unit: float = 1.0, age_s: float | None = None) -> None:
        """What is known beforehand.

        `limit` is the most it can be. `unit` is what counts as one piece: for bytes, what is too little to
        tell. `age_s` is how long the process had been running at the first point, if that is known: of an old
        process only what has piled up since its start, or piles up for long, is called a leak.
        """
        self._scales = [History() for _ in range(SCALES)]
        self._changes = History()
        self._last: float | None = None
        self._low, self._high = inf, -inf
        self._points = 0
        self._limit = limit
        self._unit = unit
        self._age_s = age_s

    def add(self, time_ns: int, value: float) -> None:
        """One more point; one that is not later than the one before is passed over."""
        index = self._points
        for scale in self._scales:
            if not scale.add(time_ns, value):
                return
            if index % COARSER:
                break
            index //= COARSER
        self._points += 1
        if value != self._last:
            self._changes.add(time_ns, value)
            self._last = value
            self._low, self._high = min(self._low, value), max(self._high, value)

    @property
    def wanders(self) -> bool:
        """Whether it has moved by more than a pool takes: what has not is never taken for growth."""
        return self._high - self._low >= PIECES * self._unit

    def growth(self, *, among: int = 1) -> Growth:
        """What it has come to so far; `among` so many series that wander, some of them by chance."""
        if self._points < 2:
            return too_short(self._points)
        if len(self._changes) < 2:
            # Most numbers never change, and the rest of this module would take a hundred times as long.
            return still(self._scales[0], self._points, self._limit)
        finest, *coarser = (scale.past() for scale in self._scales)
        scales = [finest, self._changes.past(), *coarser]
        return verdict(scales, self._limit, self._unit, self._age_s, among)
