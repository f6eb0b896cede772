"""One number over time."""

from __future__ import annotations

from math import inf

from memprobe.models.growth.history import History
from memprobe.models.growth.needs import PIECES, Known
from memprobe.models.growth.shape import Growth
from memprobe.models.growth.verdict import still, too_short, verdict

SCALES, COARSER = 4, 16
"""A series is kept as it is, and three times more of every 16th, 256th and 4096th point.

And once more of the points at which the number changed: what comes in batches is regular only there.
"""

NOTHING = Known()


class Series:
    """A number over time, and whether it grows for good."""

    __slots__ = ("_changes", "_high", "_known", "_last", "_low", "_points", "_scales")

    def __init__(self, known: Known = NOTHING) -> None:
        """What is `known` beforehand."""
        self._scales = [History() for _ in range(SCALES)]
        self._changes = History()
        self._last: float | None = None
        self._low, self._high = inf, -inf
        self._points = 0
        self._known = known

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
        return self._high - self._low >= PIECES * self._known.unit

    def growth(self, *, among: int = 1) -> Growth:
        """What it has come to so far; `among` so many series that wander, some of them by chance."""
        if self._points < 2:
            return too_short(self._points)
        if len(self._changes) < 2:
            # Most numbers never change, and the rest of this module would take a hundred times as long.
            return still(self._scales[0], self._points, self._known.limit)
        finest, *coarser = (scale.past() for scale in self._scales)
        scales = [finest, self._changes.past(), *coarser]
        return verdict(scales, self._known, among)
