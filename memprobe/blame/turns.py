"""Whose turn it is at the debug registers, and for how many hits. Pure: times are given, chance is seeded.

    few hits     the watchpoint stays armed, and new threads inherit it; every change is seen
    many         windows of WINDOW_HITS at random moments, as many as the budget allows; the kernel ends them
    more containers than registers: each has its turn, the longest without one first

How many hits a container has is known after its first window.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

WINDOW_HITS = 48
"""Of a window: enough that its first hit, which only says what the size is, is no great loss."""

REGISTERS = 2
"""Of the four: a debugger still finds two."""

TURN_NS = 2_000_000_000
"""How long a container keeps its register while others wait; what is told is at most so old."""

STEADY_SHARE = 0.5
"""What stays armed may have this part of the hits that are allowed: nothing but memprobe's next look ends it."""

UNMEASURED = -1.0


@dataclass(slots=True)
class Turns:
    """What is remembered of one container."""

    hits_per_s: float = UNMEASURED
    """While it was last watched; UNMEASURED before."""

    last_end_ns: int = 0
    """When it was last watched."""

    def is_steady(self, allowed_per_s: float, registers: int) -> bool:
        """Whether it may stay armed: hits come slowly enough."""
        return 0 <= self.hits_per_s <= STEADY_SHARE * allowed_per_s / registers

    def learn(self, hits: int, covered_ns: int) -> None:
        """Note how often it was hit in a watch."""
        if covered_ns > 0:
            self.hits_per_s = hits * 1e9 / covered_ns


class Chance:
    """When windows open: at random, so that they do not fall in step with the target."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def opens(self, elapsed_ns: int, allowed_per_s: float, registers: int) -> bool:
        """Whether a window opens in this stretch of time, given how many hits are allowed a second."""
        windows = allowed_per_s / WINDOW_HITS / registers * elapsed_ns / 1e9
        return self._random.random() < windows


def most_hits(elapsed_ns: int, allowed_per_s: float) -> int:
    """How many hits of one that stays armed are too many in this time: a burst, that is ended then."""
    return int(4 * allowed_per_s * max(elapsed_ns, 500_000_000) / 1e9)
