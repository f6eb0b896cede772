"""When new pools are worth their traps. Pure: times are given, nothing is asked of a clock.

A service that frees after each request what it allocated for it lets go of the same pools, and takes them
again, thousands of times a second. That is no growth, but each time is a trap: 0.8 us in a loop, three to six
where the program has filled the caches meanwhile. Such pools are left alone for a while. New arenas and
resident memory stay watched, and they are what shows growth then.
"""

from __future__ import annotations

import numpy as np

from memprobe.abi import GrowthHow
from memprobe.vocab.rows import Rows

NS = 1_000_000_000

WINDOW_NS = NS
"""So long pools are counted before it is decided."""

LIMIT_PER_S = 250
"""New pools that cost next to nothing: about a thousandth of a core."""

CHURN = 4
"""So many times more pools than resident memory has grown by are not growth."""

FIRST_PAUSE_NS, LONGEST_PAUSE_NS = 60 * NS, 600 * NS
"""How long pools are left alone: longer each time that it was right."""

_RESIDENT = (GrowthHow.FAULT, GrowthHow.RSS_ANONYMOUS)


class PoolWatch:
    """Decides from what grows whether new pools are to be watched."""

    def __init__(self, now_ns: int) -> None:
        self.is_wanted = True
        self._pause_ns = FIRST_PAUSE_NS
        self._begin(now_ns)

    def look(self, growth: Rows, now_ns: int) -> bool:
        """Take in what has grown since the last look; return whether it is wanted otherwise than before."""
        if not self.is_wanted:
            return self._return_if_due(now_ns)
        self._add(growth)
        if now_ns - self._begin_ns < WINDOW_NS:
            return False
        is_churning = self._is_churning(now_ns)
        self._begin(now_ns)
        if is_churning:
            self.is_wanted = False
        return is_churning

    def _begin(self, now_ns: int) -> None:
        self._begin_ns = now_ns
        self._pools = self._pool_bytes = self._resident_bytes = 0

    def _add(self, growth: Rows) -> None:
        pools = growth[growth["how"] == GrowthHow.POOL]
        resident = growth[np.isin(growth["how"], _RESIDENT)]
        self._pools += int(pools["events"].sum())
        self._pool_bytes += int(pools["grown_bytes"].sum())
        self._resident_bytes += int(resident["grown_bytes"].sum()) - int(resident["freed_bytes"].sum())

    def _is_churning(self, now_ns: int) -> bool:
        per_s = self._pools * NS / (now_ns - self._begin_ns)
        return per_s > LIMIT_PER_S and self._pool_bytes > CHURN * self._resident_bytes

    def _return_if_due(self, now_ns: int) -> bool:
        """Try again after the pause; the next one is longer."""
        if now_ns - self._begin_ns < self._pause_ns:
            return False
        self._pause_ns = min(2 * self._pause_ns, LONGEST_PAUSE_NS)
        self.is_wanted = True
        self._begin(now_ns)
        return True
