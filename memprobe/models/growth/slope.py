"""A robust slope with an interval."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

POINTS = 32
"""As many at most; every pair of them has a slope."""

SIGMAS = 1.96


def slope(time_s: NDArray[np.float64], value: NDArray[np.float64]) -> tuple[float, float, float]:
    """The median of the slopes of all pairs (Theil and Sen), and the ends of its 95 % interval."""
    count = len(time_s)
    if count > POINTS:
        chosen = np.searchsorted(time_s, np.linspace(time_s[0], time_s[-1], POINTS))
        chosen = np.unique(np.minimum(chosen, count - 1))
        time_s, value = time_s[chosen], value[chosen]
        count = len(time_s)
    if count < 2:
        return 0.0, 0.0, 0.0
    one, other = np.triu_indices(count, 1)
    slopes = np.sort((value[other] - value[one]) / (time_s[other] - time_s[one]))
    pairs = len(slopes)
    around = SIGMAS * sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = max(int((pairs - around) / 2), 0)
    middle = (slopes[(pairs - 1) // 2] + slopes[pairs // 2]) / 2
    return float(middle), float(slopes[low]), float(slopes[pairs - 1 - low])
