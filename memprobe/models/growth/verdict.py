"""From the past of a series to what it has come to."""

from __future__ import annotations

from collections.abc import Sequence

from memprobe.models.growth.course import Course, courses
from memprobe.models.growth.history import History, Past
from memprobe.models.growth.needs import Known, needs, probability
from memprobe.models.growth.shape import Growth, Shape
from memprobe.models.growth.shapes import FULL, GROWING, sentence_of, shape_of
from memprobe.models.growth.slope import slope

ON_THE_WAY = 0.3
"""The most, as odds, that growth with a limit is worth: it ends there."""


def verdict(scales: Sequence[Past], known: Known, among: int) -> Growth:
    """What a series of two points or more has come to, read at several scales, the finest first."""
    past, limit = scales[0], known.limit
    went, missing, scarcest = max(
        (_scarcest(went, known, among) for went in courses(scales, known.unit)), key=lambda judged: judged[2]
    )
    shape = shape_of(past, went, limit, scarcest, known.unit)
    if limit:
        scarcest = 0.0 if shape is Shape.BOUNDED else min(scarcest, ON_THE_WAY)
        shape = Shape.WARM_UP if shape in GROWING else shape
    begin = went.start if shape in GROWING or shape is Shape.WARM_UP else 0
    rates = slope(past.time_s[begin:], past.value[begin:])
    sentence = sentence_of(shape, went, limit, rates)
    if shape in GROWING and scarcest < 1.0:
        sentence += f": {missing}"
    per_s, low, high = rates
    return Growth(
        shape=shape,
        per_s=per_s,
        per_s_low=low,
        per_s_high=high,
        log10_evidence=went.log10_evidence,
        probability=probability(scarcest),
        added=went.last - went.first,
        points=went.points,
        duration_s=went.duration_s,
        sentence=sentence,
    )


def _scarcest(went: Course, known: Known, among: int) -> tuple[Course, str, float]:
    """The course with the need of which there is least."""
    missing, scarcest = min(needs(went, known, among).items(), key=lambda need: need[1])
    return went, missing, scarcest


def still(history: History, points: int, limit: int | None) -> Growth:
    """What can be said of a number that has never changed."""
    duration_s, value = history.duration_s, history.first
    shape = Shape.BOUNDED if limit and value >= FULL * limit else Shape.FLAT
    sentence = f"stays at {value:,.0f} for {duration_s:.0f} s"
    return Growth(shape, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, points, duration_s, sentence)


def too_short(points: int) -> Growth:
    """What can be said of a series of one point, or none."""
    return Growth(Shape.UNSURE, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, points, 0.0, "seen only once")
