"""How sure it is that a number does not merely wander: an e-value that may be looked at all the time.

The null hypothesis is a level that wanders without a direction: steps as likely down as up, of any size
that stays alike. Against it stands a drift of unknown size that began at one of the points. For each
beginning the ratio of the two likelihoods, with the size of the steps integrated out (the right Haar
measure) and a normal prior on drift / size of step, is a martingale under the null hypothesis; so is their
mixture with weights that sum to one. By Ville's inequality it ever reaches E with a probability of at most
1/E, however long one watches.
"""

from __future__ import annotations

import numpy as np

from memprobe.models.growth.history import Past

PRIOR = 1.0
"""Variance of the prior of (drift / size of a step of one second) squared, per second."""

GRAIN = 1 / 3
"""Share of one piece squared that every step is rough by: a walk by single pieces goes up n times in a row
with 2**-n, and more than 2**n must not be claimed from it."""


def evidence(past: Past, unit: float) -> tuple[float, int]:
    """log10 of the e-value for growth, and the bucket at whose end the growth most likely began."""
    duration_s = past.time_s[-1] - past.time_s[:-1]
    rise = np.maximum(past.value[-1] - past.value[:-1], 0.0)
    steps = _after(past.points)
    rough = _after(past.rough) + GRAIN * unit * unit * _after(past.pace)
    share = rise * rise / (duration_s * rough)
    prior = PRIOR * duration_s
    log = -0.5 * np.log1p(prior) - 0.5 * steps * np.log1p(-share * prior / (1.0 + prior))
    before = np.cumsum(past.points[:-1])
    log -= np.log(2.0 * np.where(before > 1.0, (before - 1.0) * before, 1.0))
    best = int(np.argmax(log))
    return float(log[best] / np.log(10.0)), best


def _after(column: np.ndarray) -> np.ndarray:
    """For each bucket but the last, the sum over all later ones."""
    return np.cumsum(column[:0:-1])[::-1]
