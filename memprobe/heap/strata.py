"""Estimates from a stratified sample, by ratio to what is known of all units; pure functions on arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_Z = 1.959964
"""Of the normal distribution: 95 % lie within."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """Units of one kind, of which some were read."""

    size: int
    """Units in all."""

    units: NDArray[np.intp]
    """The numbers of those that were read."""

    known: Array | None = None
    """Of each of these, a number that is known of all units; None: nothing is."""

    known_total: float = 0.0
    """That number summed over all units."""

    step: int = 1
    """The units themselves are every so many of those that there are."""


_NOTHING = 1e-18


def estimate(
    strata: Sequence[Stratum], units: NDArray[np.integer], groups: NDArray[np.integer], values: Array
) -> dict[int, tuple[float, float, float]]:
    """Estimate the total of each group with its 95 % interval: (value, low, high).

    `units`, `groups` and `values` are the rows that were found: a unit has at most some rows of each group.
    """
    if not len(groups):
        return {}
    count = int(groups.max()) + 1
    total, variance, largest, seen, squares = (np.zeros(count) for _ in range(5))
    place = np.full(max((int(s.units.max(initial=-1)) for s in strata), default=-1) + 1, -1)
    for number, stratum in enumerate(strata):
        place[stratum.units] = number
    of_row = place[units]
    for number, stratum in enumerate(strata):
        mine = of_row == number
        if mine.any():
            part = _of_stratum(stratum, units[mine], groups[mine], values[mine], count)
            total += part[0]
            variance += part[1]
            largest = np.maximum(largest, part[2])
            seen += part[3]
            squares += part[4]
    return {
        int(group): interval(
            total[group], variance[group], largest[group], seen[group], total[group] ** 2 / squares[group]
        )
        for group in np.unique(groups)
    }


def _of_stratum(
    stratum: Stratum, units: NDArray[np.integer], groups: NDArray[np.integer], values: Array, count: int
) -> tuple[Array, Array, Array, Array, Array]:
    """Return per group: total, its variance, largest weighted unit, what was seen, squares of the units."""
    read = len(stratum.units)
    known = np.ones(read) if stratum.known is None else stratum.known
    known_total = float(stratum.size) if stratum.known is None else stratum.known_total
    scale = known_total / max(known.sum(), 1e-300)
    # One number per unit and group: a unit may have several rows of a group.
    order = np.searchsorted(stratum.units, units)
    cells, inverse = np.unique(order.astype(np.int64) * count + groups, return_inverse=True)
    sums = np.bincount(inverse, values)
    unit, group = cells // count, cells % count
    seen: Array = np.bincount(group, sums, count).astype(float)
    ratio = seen / max(known.sum(), 1e-300)
    squares = np.bincount(group, sums**2, count)
    cross = np.bincount(group, sums * known[unit], count)
    residual = np.maximum(squares - 2 * ratio * cross + ratio**2 * np.sum(known**2), 0.0)
    unread = 1 - read / max(stratum.size, read)
    correction = read / (read - 1) if read > 1 else 1.0
    variance = scale**2 * residual * unread * correction
    if stratum.step > 1:  # how large the stratum is was estimated, too
        variance += (ratio * known_total) ** 2 * (stratum.step - 1) / max(stratum.size, 1)
    largest = np.zeros(count)
    np.maximum.at(largest, group, scale * sums)
    largest *= unread > 0
    return scale * seen, variance, largest, seen, scale**2 * squares + _NOTHING


def interval(
    total: float, variance: float, largest: float, seen: float, units: float = math.inf
) -> tuple[float, float, float]:
    """Return the total with its interval; never below what was seen.

    `units` is of how many units of the same size the sample might as well have been: a few that are much
    larger than the others tell little of how large they all are.
    """
    if variance <= 0 and largest <= 0:
        return float(total), float(total), float(total)
    z = _student(units - 1)
    low = _gamma_quantile(total, variance, -z)
    high = _gamma_quantile(total + largest, variance + largest**2, z)
    return float(total), float(min(max(low, seen), total)), float(max(high, total))


def _student(freedom: float) -> float:
    """Return the quantile of Student's t (Cornish and Fisher), for the 95 % of both sides."""
    freedom = max(freedom, 2.0)
    return _Z + (_Z**3 + _Z) / (4 * freedom) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)


def _gamma_quantile(mean: float, variance: float, z: float) -> float:
    """Return a quantile of the gamma distribution with this mean and variance (Wilson and Hilferty)."""
    if mean <= 0 or variance <= _NOTHING * mean**2:
        return mean
    shape = mean**2 / variance
    root = 1 - 1 / (9 * shape) + z / (3 * math.sqrt(shape))
    return mean * max(root, 0.0) ** 3
