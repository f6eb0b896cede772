"""A robust slope with an interval."""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

POINTS = 32
"""As many at most; every pair of them has a slope."""

EVENLY = np.arange(POINTS) / (POINTS - 1)

SIGMAS = 1.96


def slope(time_s: NDArray[np.float64], value: NDArray[np.float64]) -> tuple[float, float, float]:
    """The median of the slopes of all pairs (Theil and Sen), and the ends of its 95 % interval."""
    count = len(time_s)
    if count > POINTS:
        evenly = time_s[0] + (time_s[-1] - time_s[0]) * EVENLY
        chosen = np.minimum(time_s.searchsorted(evenly), count - 1)
        chosen = chosen[np.flatnonzero(np.diff(chosen, prepend=-1))]
        time_s, value = time_s[chosen], value[chosen]
        count = len(time_s)
    if count < 2:
        return 0.0, 0.0, 0.0
    one, other = _pairs(count)
    slopes = np.sort((value[other] - value[one]) / (time_s[other] - time_s[one]))
    pairs = len(slopes)
    around = SIGMAS * sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = max(int((pairs - around) / 2), 0)
    middle = (slopes[(pairs - 1) // 2] + slopes[pairs // 2]) / 2
    return float(middle), float(slopes[low]), float(slopes[pairs - 1 - low])


@cache
def _pairs(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The numbers of the earlier and the later point of every pair; for 32 counts at most."""
    one, other = np.triu_indices(count, 1)
    return one, other
