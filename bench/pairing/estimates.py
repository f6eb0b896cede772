"""From blocks of measurements, with and without a tool in turn, to a slow-down and its interval.

The blocks are A B A B ... A in one life of one process. Each B is compared with the mean of the A before
and the A after it: a drift of the machine that is linear over three blocks cancels. The estimate is the
median over pairs, its interval a percentile bootstrap over pairs (neighbours share an A, so it is slightly
too narrow).
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

RESAMPLES = 4_000
SEED = 20_231


@dataclass(frozen=True, slots=True)
class Slice:
    """What a workload reported for half a second."""

    operations: int
    wall_s: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        """Operations per second of wall time."""
        return self.operations / self.wall_s

    @property
    def per_cpu_s(self) -> float:
        """Operations per second of its own CPU time: steadier where others use the machine too."""
        return self.operations / self.cpu_s if self.cpu_s else 0.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median with its 95 % interval."""

    median: float
    low: float
    high: float


def block_rate(slices: Sequence[Slice], per_cpu: bool) -> float:
    """Return the rate of a block: the median of its slices."""
    return statistics.median(one.per_cpu_s if per_cpu else one.per_s for one in slices)


def slowdowns(without: Sequence[float], with_tool: Sequence[float]) -> list[float]:
    """Return how much longer an operation takes in each B, in per cent; one more A than B."""
    around = [(before + after) / 2 for before, after in pairwise(without)]
    return [(free / used - 1) * 100 for free, used in zip(around, with_tool, strict=True) if used]


def estimate(values: Sequence[float]) -> Estimate | None:
    """Return the median and its bootstrap interval; None without values."""
    if not values:
        return None
    chance = random.Random(SEED)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    low, high = medians[int(RESAMPLES * 0.025)], medians[int(RESAMPLES * 0.975)]
    return Estimate(statistics.median(values), low, high)
