"""When something that has failed is tried again: after a while, later each time, and not for ever."""

from __future__ import annotations

from collections.abc import Hashable

MOST = 5
FIRST_PAUSE_S = 10.0
"""Each pause is twice as long as the one before; the last attempt is 150 s after the first."""


class Attempts:
    """Counts them, for each thing by itself."""

    def __init__(self) -> None:
        self._failed: dict[Hashable, tuple[int, float]] = {}
        """How often, and when the next attempt is due."""

    def is_due(self, thing: Hashable, now_s: float) -> bool:
        """Whether it is to be tried now."""
        times, next_s = self._failed.get(thing, (0, now_s))
        return times < MOST and now_s >= next_s

    def failed(self, thing: Hashable, now_s: float) -> None:
        """Note that it was in vain."""
        times, _ = self._failed.get(thing, (0, now_s))
        self._failed[thing] = times + 1, now_s + FIRST_PAUSE_S * 2**times
