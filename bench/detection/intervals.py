"""Exact intervals of shares and rates, without a library."""

from __future__ import annotations

import math
from collections.abc import Callable

_STEPS = 60  # halvings: far below the digits that are shown


def _root(rises: Callable[[float], float], high: float) -> float:
    """Where a rising function becomes positive."""
    low = 0.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if rises(middle) > 0 else (middle, high)
    return (low + high) / 2


def _at_least(hits: int, tries: int, share: float) -> float:
    """The chance of so many hits or more."""
    if not 0 < share < 1:
        return float(share >= 1 or not hits)
    return math.fsum(_exactly(n, tries, share) for n in range(hits, tries + 1))


def _exactly(hits: int, tries: int, share: float) -> float:
    ways = math.lgamma(tries + 1) - math.lgamma(hits + 1) - math.lgamma(tries - hits + 1)
    return math.exp(ways + hits * math.log(share) + (tries - hits) * math.log1p(-share))


def clopper_pearson(hits: int, tries: int, level: float = 0.95) -> tuple[float, float]:
    """The interval of a share that was seen so many times in so many tries."""
    tail = (1 - level) / 2
    low = _root(lambda share: _at_least(hits, tries, share) - tail, 1.0) if hits else 0.0
    high = _root(lambda share: tail - (1 - _at_least(hits + 1, tries, share)), 1.0) if hits < tries else 1.0
    return low, high


def poisson_upper(count: int, level: float = 0.95) -> float:
    """The mean that is exceeded by chance alone so rarely that so few were seen: 3.0 for none."""

    def at_most(mean: float) -> float:
        return math.fsum(math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(count + 1))

    return _root(lambda mean: (1 - level) - at_most(mean), 10.0 + 3 * count)
