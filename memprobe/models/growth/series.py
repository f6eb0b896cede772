"""One number over time."""

from __future__ import annotations

from memprobe.models.growth.history import History
from memprobe.models.growth.shape import Growth
from memprobe.models.growth.verdict import verdict


class Series:
    """A number over time, and whether it grows for good."""

    __slots__ = ("_history", "_limit", "_unit")

    def __init__(self, *, limit: int | None = None, unit: float = 1.0) -> None:
        """`limit` is the most it can be, `unit` what counts as one piece: for bytes what is too little to tell."""
        self._history = History()
        self._limit = limit
        self._unit = unit

    def add(self, time_ns: int, value: float) -> None:
        """One more point; times that do not go forward are passed over."""
        self._history.add(time_ns, value)

    def growth(self) -> Growth:
        """What it has come to so far."""
        return verdict(self._history.past(), self._limit, self._unit)
