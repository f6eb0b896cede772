"""What must be there before growth is called growth for good: each need says how much of it there is.

1 is just enough, 2 is twice as much. The scarcest decides: with q of it the odds are q to 1, so that the
probability reaches one half when the last need is met. The table is the model's idea of what healthy programs
do; docs/models.md says where it comes from, and bench/results/models.md how often it is wrong.
"""

from __future__ import annotations

from math import inf

from memprobe.models.growth.course import Course

LASTED_S = 16.0
"""So long growth without a fall must have lasted: warm-ups that take seconds are over."""

CHURN = 10.0
"""Where as much goes as comes it must have lasted 1 + 10 times as long: traffic surges for minutes."""

LATE = 1 / 8
"""Growth that began late must have lasted this share of the time before it began: what has been healthy for
long has surged and has been emptied before, and will be again."""

PIECES = 100.0
"""Pools of connections and threads take fewer."""

EVIDENCE = 4.3
"""log10 of 200 series times 100 days: one false alarm among them, if all of them merely wander."""

FALLS = 3.0
"""It must have grown by this many times the deepest fall that was seen."""

RESTS = 4.0
"""It must have lasted this many times the longest rest in it: that many leaps at least."""

REST = 0.25
"""It grows on, unless it has rested for a quarter of the time that it grew, or for SHORT_S."""

SHORT_S = 5.0

SLOWED = 0.75
"""The later half of the run must have at least this share of the rate of the earlier one: at 3/4 a warm-up
would end at little more than twice what there is."""

DAY_S = 86_400.0

DAY_PER_S = 2e-4
"""What follows the day grows by at most this share of itself in a second: with nine tenths less traffic at
night than by day it is 1.5e-4."""

CERTAIN = 99.0
"""The most that is ever there of anything, as odds."""


def probability(scarcest: float) -> float:
    """From how much there is of the scarcest need to the probability of growth for good."""
    odds = min(max(scarcest, 0.0), CERTAIN)
    return odds / (1.0 + odds)


def needs(went: Course, unit: float, age_s: float | None) -> dict[str, float]:
    """How much there is of each need, and in words what it would mean if that were too little."""
    lasted_s = LASTED_S * (1.0 + CHURN * went.churn)
    return {
        "for too short a time to tell": went.run_s / max(lasted_s, LATE * _late_s(went, age_s)),
        "by no more than a pool takes": went.new / (PIECES * unit),
        "by chance as likely as not": went.log10_evidence / EVIDENCE,
        "and has fallen as deep before": went.new / (FALLS * went.fall) if went.fall > 0.0 else inf,
        "in too few leaps to tell": went.run_s / (RESTS * went.longest_rest_s)
        if went.longest_rest_s
        else inf,
        "and rests now": _allowed_rest_s(went) / went.rest_s if went.rest_s > 0.0 else inf,
        "slower and slower": _steadiness(went),
        "as traffic may in the course of a day": _beyond_a_day(went),
    }


def _leaps(went: Course) -> float:
    return went.run_s / (RESTS * went.longest_rest_s) if went.longest_rest_s > 0.0 else inf


def _allowed_rest_s(went: Course) -> float:
    return max(SHORT_S, 2.5 * went.interval_s, 1.5 * went.longest_rest_s, REST * went.run_s)


def _late_s(went: Course, age_s: float | None) -> float:
    """How long it was healthy before it began to grow; with the age of the process, before the first point."""
    if age_s is None or went.start or went.late_per_s <= 0.0:
        return went.began_s + (age_s or 0.0)
    at_this_rate_s = went.first / went.late_per_s
    if age_s / 3 <= at_this_rate_s <= age_s * 3:
        return 0.0
    return max(age_s - at_this_rate_s, 0.0) if at_this_rate_s < age_s else age_s


def _steadiness(went: Course) -> float:
    """How much would still come if it slowed down as it has, as a share of what came; 1 at SLOWED."""
    if went.early_per_s <= 0.0:
        return inf
    ratio = max(went.late_per_s / went.early_per_s + went.doubt, 0.0)
    if ratio >= 1.0:
        return inf
    return (ratio / SLOWED) ** 2 * (1.0 - SLOWED**2) / (1.0 - ratio**2)


def _beyond_a_day(went: Course) -> float:
    """Against what comes and goes with the traffic, before a day was seen."""
    base = went.last - went.new
    if went.churn < 0.02 or went.duration_s > 1.5 * DAY_S or base <= 0.0:
        return inf
    return went.new / (base * DAY_PER_S * went.run_s)
