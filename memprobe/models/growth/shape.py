"""What a series of counts has come to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """How a number went."""

    UNSURE = "unsure"
    """Too little was seen, or nothing here fits."""

    FLAT = "flat"
    STEADY = "steady"
    """Grows all the time."""

    STEPS = "steps"
    """Grows again and again, and rests between."""

    WARM_UP = "warm-up"
    """Grew fast, grows slower and slower, or has come to rest."""

    BOUNDED = "bounded"
    """At its limit: a cache that is full, a pool that has all it wants."""

    SAWTOOTH = "sawtooth"
    """Piles up and is emptied."""

    DAY_CYCLE = "day cycle"
    ONE_OFF = "one-off"
    """Grew once, quickly, and rests since."""

    SPIKE = "spike"
    """Went up, came down again, and perhaps not all the way."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What a series has come to."""

    shape: Shape

    per_s: float
    """Net, over what is told by `shape`: since it began to grow, or over all that was seen."""

    per_s_low: float
    per_s_high: float
    """The 95 % interval of `per_s`."""

    log10_evidence: float
    """The e-value against "it wanders without a direction"; may be looked at as often as one likes."""

    probability: float
    """0..1, that it is growing and will go on; at most half as long as anything needed for it is missing."""

    added: float
    """The last value less the first."""

    points: int
    duration_s: float
    sentence: str
    """How it grew, in words: for the evidence of a finding."""
