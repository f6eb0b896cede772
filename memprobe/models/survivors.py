"""How much of what survives one stack makes, from bursts in which all births were seen.

A burst is a cluster: births that lie close together in time are alike, so bursts vary more than independent
births would. The share of a stack is a ratio of two sums over bursts (what it made, what all made); its
variance is taken between the bursts where that is larger than that of independent draws. The interval is
Wilson's, corrected, for as many draws as the variance is worth, with Student's quantile for the bursts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_NORMAL = 1.959964
_STUDENT = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622)
"""The 0.975 quantile for 1 to 9 degrees of freedom."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, and its 95 % interval."""

    low: float
    best: float
    high: float


UNKNOWN = Share(0.0, 0.0, 1.0)


def share_of(own: Counts, every: Counts) -> Share:
    """Return the share of a stack, from its survivors and those of all stacks, burst by burst."""
    caught = every > 0
    of_stack, of_all = own[caught].astype(float), every[caught].astype(float)
    if not len(of_all):
        return UNKNOWN
    best = float(of_stack.sum() / of_all.sum())
    if len(of_all) < 2 or best in (0.0, 1.0):
        # No spread to see: births of one burst may all be alike, so there were as many draws as bursts.
        return _wilson(best, len(of_all), _NORMAL)
    return _wilson(best, _independent_draws(of_stack, of_all, best), quantile(len(of_all) - 1))


def _independent_draws(own: npt.NDArray[np.float64], every: npt.NDArray[np.float64], best: float) -> float:
    """How many independent draws would be as sure as these."""
    bursts, total = len(every), float(every.sum())
    plain = best * (1 - best) / total
    between = bursts / (bursts - 1) * float(np.sum((own - best * every) ** 2)) / total**2
    return min(total, total * plain / between) if between > 0 else total


def _wilson(best: float, draws: float, z: float) -> Share:
    """Wilson's interval with the correction for continuity, so that it covers with few draws, too."""

    def lowest(part: float) -> float:
        inside = z * z - 1 / draws + 4 * draws * part * (1 - part) + 4 * part - 2
        numerator = 2 * draws * part + z * z - 1 - z * math.sqrt(max(inside, 0.0))
        return max(numerator / (2 * (draws + z * z)), 0.0) if part > 0 else 0.0

    return Share(lowest(best), best, 1 - lowest(1 - best))


def quantile(degrees: int) -> float:
    """Student's 0.975 quantile; with no degree of freedom that of one."""
    if degrees <= len(_STUDENT):
        return _STUDENT[max(degrees, 1) - 1]
    first = (_NORMAL**3 + _NORMAL) / 4
    second = (5 * _NORMAL**5 + 16 * _NORMAL**3 + 3 * _NORMAL) / 96
    return _NORMAL + first / degrees + second / degrees**2
