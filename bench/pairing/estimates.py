"""From blocks of measurements, with and without a tool in turn, to a slow-down and its interval.

What an operation of the workload costs is divided by what it cost its twin in the same half second on the
same CPU. The blocks are A B A B ... A in one life of one process. Each B is compared with the mean of the A
before and the A after it: a drift that is linear over three blocks cancels. The estimate is the median over
pairs, its interval a percentile bootstrap over pairs (neighbours share an A, so it is slightly too narrow).
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
    """What a workload and its twin reported for the same half second."""

    operations: int
    wall_s: float
    cpu_s: float

    twin_s: float
    """CPU time of one operation of the twin."""

    @property
    def cost(self) -> float:
        """CPU time of one operation, in operations of the twin."""
        return self.cpu_s / self.operations / self.twin_s


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median with its 95 % interval."""

    median: float
    low: float
    high: float

    def plus(self, known: float) -> Estimate:
        """The same, moved by what is known."""
        return Estimate(self.median + known, self.low + known, self.high + known)


def block_cost(slices: Sequence[Slice]) -> float:
    """Return the cost of an operation in a block: the median of its slices."""
    return statistics.median(one.cost for one in slices)


def slowdowns(without: Sequence[float], with_tool: Sequence[float]) -> list[float]:
    """Return by how much each B costs more than the A around it, in per cent; one more A than B."""
    around = [(before + after) / 2 for before, after in pairwise(without)]
    return [(used / free - 1) * 100 for free, used in zip(around, with_tool, strict=True)]


def estimate(values: Sequence[float]) -> Estimate | None:
    """Return the median and its bootstrap interval; None without values."""
    if not values:
        return None
    chance = random.Random(SEED)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    low, high = medians[int(RESAMPLES * 0.025)], medians[int(RESAMPLES * 0.975)]
    return Estimate(statistics.median(values), low, high)
