"""Whose turn it is at the debug registers, for how long and how many hits. Pure: chance is seeded.

    steady    few hits: the watchpoint stays armed, and new threads inherit it; every change is seen
    slice     more: from a random moment to memprobe's next look, with a limit that ends it early
    burst     so many that no slice is short enough: the first hits from a random moment on

How many hits a container has is known after its first watch. More containers than registers have turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

NS = 1_000_000_000

REGISTERS = 2
"""Of the four: a debugger still finds two."""

TURN_NS = 2 * NS
"""How long a container keeps its register while others wait; what is told is at most so old."""

PROGRAM_NS = 5_500
"""The program of a hit, with its stack."""

HIT_NS = 20_000 + PROGRAM_NS
"""A trap in a virtual machine, with its program: where that cannot be measured."""

BURST_HITS = 24
"""Of a burst: enough that its first hit, which only says what the size is, is no great loss. What follows in
one burst is alike, so that shares become known by many bursts, not by long ones."""

SLICE_HITS = 96
"""A slice that has so many ends early."""

FAST_PER_S = 1_000.0
"""From so many hits on it is bursts. Below, what happens while the threads are armed (0.3 ms) is little."""

STEADY_SHARE = 0.8
"""What stays armed may have this part of the hits that a register is allowed."""

BURST_OF_STEADY_S = 2.0
"""A watch that stays armed has come upon a burst if it takes the hits that are allowed in so long at once."""

UNMEASURED = -1.0


@dataclass(frozen=True, slots=True)
class Watching:
    """How a container is to be watched."""

    limit: int = 0
    """Of hits; 0: it stays armed."""


STEADY = Watching()
SLICE = Watching(SLICE_HITS)
BURST = Watching(BURST_HITS)


@dataclass(slots=True)
class Turns:
    """What is remembered of one container."""

    hits_per_s: float = UNMEASURED
    """While it was last watched; UNMEASURED before."""

    last_end_ns: int = 0
    """When it was last watched."""

    told_ns: int = 0
    """Up to when its watches speak for its time; 0 where the next one speaks for itself alone."""

    @property
    def is_new(self) -> bool:
        """Whether it was never watched."""
        return self.hits_per_s < 0

    def learn(self, hits: int, covered_ns: int) -> None:
        """Note how often it was hit in a watch."""
        if covered_ns > 0:
            self.hits_per_s = hits * NS / covered_ns

    def next(self, allowed_per_s: float) -> Watching:
        """How to watch it the next time, given the hits that its register is allowed."""
        if self.is_new:
            return BURST
        if self.hits_per_s <= STEADY_SHARE * allowed_per_s:
            return STEADY
        return SLICE if self.hits_per_s < FAST_PER_S else BURST

    def expected_hits(self, watching: Watching, look_ns: int) -> float:
        """Return how many hits a watch will cost, if memprobe looks again after such a time."""
        if watching is STEADY:
            return 0.0
        return min(watching.limit, self.hits_per_s * look_ns / NS) if watching is SLICE else watching.limit


class Chance:
    """When slices and bursts begin: at random, so that they do not fall in step with the target."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def comes(self, hits: float, elapsed_ns: int, allowed_per_s: float) -> bool:
        """Whether a watch that costs so many hits begins in this stretch of time."""
        return self._random.random() * hits < allowed_per_s * elapsed_ns / NS


def is_burst(hits: int, allowed_per_s: float) -> bool:
    """Whether one that stays armed has been hit too often since it was last looked at."""
    return hits > allowed_per_s * BURST_OF_STEADY_S
