"""What must be there before growth is called growth for good: each need says how much of it there is.

1 is just enough, 2 is twice as much. The scarcest decides: with q of it the odds are q to 1, so that the
probability reaches one half when the last need is met. The table is the model's idea of what healthy programs
do; docs/models.md says where it comes from, and bench/results/models.md how often it is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, log10

from memprobe.models.growth.course import Course

LASTED_S = 16.0
"""So long growth without a fall must have lasted: warm-ups that take seconds are over."""

CHURN = 10.0
"""Where as much goes as comes it must have lasted 1 + 10 times as long: traffic surges for minutes."""

LATE = 1 / 8
"""Growth that began late must have lasted this share of the time before it began: what has been healthy for
long has surged and has been emptied before, and will be again."""

FITS = 1.5
"""What has piled up fits the age of the process if it is no less than rate times age divided by this: the
rate was measured in the last seconds, and traffic comes and goes. For how much more it may be see SLOWED."""

LONGEST_S = 7200.0
"""More time is not asked for on account of slowness, or of what happened before the first look."""

START_UP_S = 120.0
"""Of the time before the first look, as much as this may well have passed without a leak."""

AGAIN = 6.0
"""What has grown since the process began may be the first tooth of a saw, sessions of which none has expired
yet, or a warm-up: so many times as long must it go on, or until the process is LONGEST_S old ..."""

SUSPECT = 0.7
"""... and until then these are the odds, if nothing else is missing: less than even, and enough to be told.
What is known of the structure may make a finding of it."""

SLOW_S = 100.0
"""So long growth by one piece a second must have lasted; a hundred times as long if it is ten times as slow:
there is no hurry, and warm-ups of hours are as slow."""

PIECES = 100.0
"""Pools of connections and threads take fewer."""

EVIDENCE, OF_ALL = 3.0, 2.0
"""log10: of a thousand series that wander by more than a pool takes, at most one is ever taken for growth,
and of a hundred processes at most one has such a series, however many of them wander."""

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

SLOWED_BY_NIGHT = 0.4
"""The same from LONG_S on: a leak slows down with the traffic, too, and a warm-up of hours even more."""

LONG_S = 21_600.0

DAY_S = 86_400.0

COMES_AND_GOES = 0.02
"""All steps down since the first reading, as a share of the growth, from which it may follow the traffic."""

DAY_PER_S = 2e-4
"""What follows the day grows by at most this share of itself in a second: with nine tenths less traffic at
night than by day it is 1.5e-4."""

CERTAIN = 99.0
"""The most that is ever there of anything, as odds."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a series beforehand."""

    limit: int | None = None
    """The most it can be."""

    unit: float = 1.0
    """What counts as one piece: for bytes, what is too little to tell."""

    age_s: float | None = None
    """How long the process had been running at the first point, if that is known: of an old process only what
    has piled up since its start, or piles up for long, is called a leak."""

    warm_up_s: float = 0.0
    """So old the process must be before anything is sure: of a worker, which comes, warms up and goes again
    and again, the first two minutes are no test bench."""


def probability(scarcest: float) -> float:
    """From how much there is of the scarcest need to the probability of growth for good."""
    odds = min(max(scarcest, 0.0), CERTAIN)
    return odds / (1.0 + odds)


def needs(went: Course, known: Known, among: int) -> dict[str, float]:
    """How much there is of each need, and in words what it would mean if that were too little.

    `among` is the number of series of the process that wander by more than a pool takes.
    """
    return {
        "for too short a time to tell": went.run_s / _needed_s(went, known),
        "since its start, as a warm-up may": _beyond_a_warm_up(went, known.age_s),
        "by no more than a pool takes": went.new / (PIECES * known.unit),
        "by chance as likely as not": went.log10_evidence / _enough_evidence(among),
        "and has fallen as deep before": went.new / (FALLS * went.fall) if went.fall > 0.0 else inf,
        "in too few leaps to tell": _leaps(went),
        "and rests now": _allowed_rest_s(went) / went.rest_s if went.rest_s > 0.0 else inf,
        "slower and slower": _steadiness(went),
        "as traffic may in the course of a day": _beyond_a_day(went),
    }


def _enough_evidence(among: int) -> float:
    """Ville's inequality, added up over the series that wander."""
    return max(EVIDENCE, OF_ALL + log10(max(among, 1)))


def _needed_s(went: Course, known: Known) -> float:
    """How long it must have grown."""
    pieces_per_s = max(went.new / (known.unit * went.run_s), 1e-3)
    return max(
        LASTED_S * (1.0 + CHURN * went.churn),
        min(LATE * _before_s(went, known.age_s), LONGEST_S),
        min(SLOW_S / pieces_per_s**2, LONGEST_S),
        min(_unseen_s(went, known.age_s), LONGEST_S),
        known.warm_up_s - (known.age_s or 0.0) - went.began_s,
    )


def _before_s(went: Course, age_s: float | None) -> float:
    """How long before it began to grow, if that was seen."""
    return went.began_s + (age_s or 0.0) if went.start else 0.0


def _unseen_s(went: Course, age_s: float | None) -> float:
    """How long it must have grown on account of the time before the first reading.

    Nobody has seen that time. But what has grown at this rate since the process began has a size that fits;
    what is smaller was emptied or began later, what is larger once grew faster, or was there.
    """
    if age_s is None or went.start or went.late_per_s <= 0.0:
        return 0.0
    at_this_rate_s = went.first / went.late_per_s
    if at_this_rate_s > age_s / SLOWED:
        return AGAIN * (age_s - START_UP_S)
    return age_s - at_this_rate_s - START_UP_S if at_this_rate_s < age_s / FITS else 0.0


def _beyond_a_warm_up(went: Course, age_s: float | None) -> float:
    """Against what grows since the process began, and will end. In its first two minutes nobody can wait."""
    if age_s is None or (went.start and not _fits(went, age_s)):
        return inf
    needed_s = min(AGAIN * (age_s - START_UP_S), LONGEST_S - age_s)
    return max((went.began_s + went.run_s) / needed_s, SUSPECT) if needed_s > 0.0 else inf


def _fits(went: Course, age_s: float) -> bool:
    """Whether what seems to have begun late had by then a size as if it had begun with the process."""
    then_s = age_s + went.began_s
    return then_s / FITS <= (went.last - went.new) / max(went.late_per_s, 1e-9) <= then_s / SLOWED


def _leaps(went: Course) -> float:
    return went.run_s / (RESTS * went.longest_rest_s) if went.longest_rest_s > 0.0 else inf


def _allowed_rest_s(went: Course) -> float:
    return max(SHORT_S, 2.5 * went.interval_s, 1.5 * went.longest_rest_s, REST * went.run_s)


def _steadiness(went: Course) -> float:
    """How much would still come if it slowed down as it has, as a share of what came."""
    if went.early_per_s <= 0.0:
        return inf
    ratio = max(went.late_per_s / went.early_per_s + went.doubt, 0.0)
    if ratio >= 1.0:
        return inf
    just_enough = slowest(went)
    return (ratio / just_enough) ** 2 * (1.0 - just_enough**2) / (1.0 - ratio**2)


def slowest(went: Course) -> float:
    """The share of its earlier rate that the later half of a run must have."""
    return SLOWED if went.run_s < LONG_S else SLOWED_BY_NIGHT


def _beyond_a_day(went: Course) -> float:
    """Against what comes and goes with the traffic, before a day was seen."""
    base = went.last - went.new
    # Readings that are minutes apart show a smooth day without a fall, whatever comes and goes between.
    comes_and_goes = went.fallen > COMES_AND_GOES * went.new or went.interval_s > 60.0
    if not comes_and_goes or went.duration_s > 1.5 * DAY_S or base <= 0.0:
        return inf
    return log(max(went.last / base, 1.0)) / (DAY_PER_S * went.run_s)
