"""How sure a finding is: one table of what speaks for and against a leak.

A confidence begins with the probability that the number grows for good (`models.growth`) and is moved by
what is known of the structure: each sign adds its weight to the logarithm of the odds (natural). The weights
are those of a logistic model.
"""

from __future__ import annotations

import math
from enum import Enum

from memprobe.models.growth import Growth

CERTAIN = 0.99
"""No finding is surer than this: what a source does not see can always explain it."""


SHARPENED = 2.0
"""What the log-odds of a finding are multiplied by. `bench/detect.py --evaluate` says what would fit best,
with whole programs left out: it said 3, but all of 54 findings were right, too few to tell 0.95 from 0.99."""

SOON_S = 16.0
"""Watched for less than this, nothing speaks for a leak: it does not make up for time that has not passed."""


class Sign(Enum):
    """What is known of a suspect beside its growth, with its weight."""

    OLD = ("old", 1.0)
    """The oldest have lived longer than such things are needed."""

    UNREACHABLE = ("unreachable", 1.5)
    """Nothing in the program can use them any more: garbage, lost descriptors, peers that have closed."""

    CORROBORATED = ("corroborated", 1.0)
    """A second, independent number grows in the same way: descriptors and the objects that own them."""

    NOT_DATA = ("not_data", 0.5)
    """Callbacks, tasks, threads or handles: programs seldom collect such things on purpose."""

    UNCOLLECTED = ("uncollected", 1.0)
    """The collector does not run, and nobody has called it for longer than one who does so would wait."""

    ALIKE = ("alike", 0.5)
    """All that came are of one sort and none has gone: what a program needs is mixed, and has an end."""

    ENDLESS = ("endless", 0.3)
    """Its keys never come again: no warm-up, that is over when all that is asked for is known."""

    HEAVY = ("heavy", 0.8)
    """They are so large that a pool of them would be smaller than what the model grants a pool."""

    LIMITED = ("limited", -3.0)
    """It has a limit that it has not reached yet."""

    RECYCLED = ("recycled", -1.0)
    """Some go while others come: a pool, a buffer, work in progress."""

    YOUNG = ("young", -1.5)
    """None of them is older than such things are commonly needed."""

    ROUGH = ("rough", -1.0)
    """The numbers are estimates, or of something that churns."""

    SMALL = ("small", -2.5)
    """Too few, or too little memory, to matter to anybody yet."""

    def __init__(self, key: str, weight: float) -> None:
        self.key, self.weight = key, weight


def confidence(probability: float, *signs: Sign) -> float:
    """Move the probability that something grows for good by what else is known of it; 0..CERTAIN."""
    if probability <= 0.0:
        return 0.0
    bounded = min(max(probability, 1e-9), CERTAIN)
    log_odds = math.log(bounded / (1 - bounded)) + sum(sign.weight for sign in signs)
    return min(CERTAIN, 1 / (1 + math.exp(-log_odds)))


def calibrated(sure: float) -> float:
    """Return how many of the findings that are so sure are right; what is no finding stays as it is."""
    if sure <= 0.5:
        return sure
    return min(CERTAIN, 1 / (1 + math.exp(-SHARPENED * math.log(sure / max(1 - sure, 1e-9)))))


def sure_of(growth: Growth, *signs: Sign) -> float:
    """Return how sure it is that something grows for good; what speaks for it counts after SOON_S."""
    counted = signs if growth.duration_s >= SOON_S else [sign for sign in signs if sign.weight < 0]
    return confidence(growth.probability, *counted)
