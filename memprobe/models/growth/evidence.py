"""How sure it is that a number does not merely wander: an e-value that may be looked at all the time.

The null hypothesis is a level that wanders without a direction: steps as likely down as up, of any size
that stays alike. Against it stands a drift of unknown size that began at one of the points. For each
beginning the ratio of the two likelihoods, with the size of the steps integrated out (the right Haar
measure) and normal priors on drift / size of step, is a martingale under the null hypothesis; so is their
mixture with weights that sum to one. By Ville's inequality it ever reaches E with a probability of at most
1/E, however long one watches.

A third bet in the mixture looks at the signs alone: what comes in waves has steps of very different sizes,
and never goes down. If up is as likely as down, betting on up with UP to one is a martingale, whatever the
sizes.

Steps are taken from point to point, from change to change, and from every 16th, 256th and 4096th point to the
next: what grows in batches, or under noise, is regular only there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log

import numpy as np

from memprobe.models.growth.history import Column, Past

PRIORS = (30.0, 1000.0)
"""Variances of the prior of (drift / size of a step of one second), per second, each as likely as the other:
a leak that goes with the traffic, and one like clockwork, which four readings are enough to tell."""

UP = 0.9
"""The share of all steps that go up, against which the third bet holds a half: a wave or two may fall."""

GRAIN = 1 / 3
"""Share of one piece squared that every step is rough by: a walk by single pieces goes up n times in a row
with 2**-n, and more than 2**n must not be claimed from it."""

FIRST = 0.75
"""Weight of the first point among all beginnings, and of the finest scale among all: most leaks are there
when one begins to watch. The others share the rest, the earlier and the finer the more."""


def evidence(scales: Sequence[Past], unit: float) -> tuple[float, float]:
    """log10 of the e-value for growth, and the second at which the growth most likely began."""
    found = []
    for past, weight in _weighted(scales):
        ratios = _ratios(past, unit)
        best = int(ratios.argmax())
        found.append((float(ratios[best] + weight), float(past.time_s[best])))
    best_ratio, began_s = max(found)
    return best_ratio / log(10.0), began_s


def evidence_from_first(scales: Sequence[Past], unit: float) -> float:
    """log10 of the e-value for growth since the first point."""
    return max(float(_ratios(past, unit)[0] + weight) for past, weight in _weighted(scales)) / log(10.0)


def _weighted(scales: Sequence[Past]) -> Iterator[tuple[Past, float]]:
    """The scales with more than one point, and the logarithm of what each counts."""
    for rank, past in enumerate(scales):
        if len(past.time_s) > 1:
            yield past, log((1.0 - FIRST) / 2.0**rank) if rank else log(FIRST)


def _ratio(share: Column, prior: Column, steps: Column) -> Column:
    """The logarithm of the likelihood ratio, with one prior."""
    ratio: Column = -0.5 * (np.log1p(prior) + steps * np.log1p(-share * prior / (1.0 + prior)))
    return ratio


def _signs(past: Past) -> Column:
    """The logarithm of what a bet on up at every step since the end of each bucket has won."""
    ups, downs = (column[:0:-1].cumsum()[::-1] for column in (past.ups, past.downs))
    won: Column = ups * log(2.0 * UP) + downs * log(2.0 * (1.0 - UP))
    return won


def _ratios(past: Past, unit: float) -> Column:
    """The logarithm of the weighted likelihood ratio for growth since the end of each bucket."""
    duration_s = past.time_s[-1] - past.time_s[:-1]
    rise = np.maximum(past.value[-1] - past.value[:-1], 0.0)
    rough = (past.rough + GRAIN * unit * unit * past.pace)[:0:-1].cumsum()[::-1]
    share = rise * rise / (duration_s * rough)
    steps = past.points[:0:-1].cumsum()[::-1]
    bets = [_ratio(share, prior * duration_s, steps) for prior in PRIORS] + [_signs(past)]
    ratio: Column = np.logaddexp.reduce(bets) - log(len(bets))
    before = past.points[:-1].cumsum() - 1.0
    ratio[0] += log(FIRST)
    ratio[1:] += np.log((1.0 - FIRST) / (before[1:] * (before[1:] + 1.0)))
    return ratio
