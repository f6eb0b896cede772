"""How fast something grows, how sure that is, and whether two rates differ. Pure functions.

A course is cut into equal blocks; the rates of the blocks give the mean and its error. That holds for courses
that come in jumps (a look at the heap every ten seconds) and for saw teeth, whose errors come out too
large rather than too small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

FEWEST = 8
"""Blocks that a rate needs."""

SIGNIFICANT = 4.3
"""Errors between two rates that differ: of 300 that are the same, one in twenty comparisons shows one."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Units per second."""

    per_s: float
    error_per_s: float
    blocks: int

    @property
    def is_known(self) -> bool:
        """Whether it rests on enough."""
        return self.blocks >= FEWEST

    def grows(self, least_per_s: float) -> bool:
        """Whether it is surely above 0, and by something that counts."""
        return self.is_known and self.per_s > max(least_per_s, SIGNIFICANT * self.error_per_s)


NONE_SEEN = Rate(0.0, 0.0, FEWEST)
"""Of what was never there."""


def rate(times_s: Sequence[float], values: Sequence[float | None], unit: float = 1.0) -> Rate:
    """Return the rate of a course; None where it was not seen. A rate is never surer than half a unit."""
    seen = [(at, value) for at, value in zip(times_s, values, strict=True) if value is not None]
    steps = [(b - a, after - before) for (a, before), (b, after) in pairwise(seen) if b > a]
    if not steps:
        return Rate(0.0, math.inf, 0)
    span_s = seen[-1][0] - seen[0][0]
    mean = (seen[-1][1] - seen[0][1]) / span_s
    squares = [(moved / length - mean) ** 2 for length, moved in steps]
    spread = math.sqrt(math.fsum(squares) / max(1, len(steps) - 1) / len(steps))
    return Rate(mean, math.hypot(spread, unit / 2 / span_s), len(steps))


def errors_between(one: Rate, other: Rate) -> float:
    """Return how many errors the second is above the first."""
    error = math.hypot(one.error_per_s, other.error_per_s)
    return (other.per_s - one.per_s) / error if error else 0.0
