"""Which shape a series has, and the sentence that says so."""

from __future__ import annotations

import numpy as np

from memprobe.models.growth.course import Course
from memprobe.models.growth.history import Past
from memprobe.models.growth.needs import DAY_S, SHORT_S, slowest
from memprobe.models.growth.shape import Shape

FULL = 0.98
"""Share of its limit at which a collection is full: some keep a little room."""

ALIKE = 2.0
"""log10 of the evidence from which growth is worth a name, whatever else is missing."""

NOISE = 10.0
"""A fall of so many usual steps is one; what wobbles by chance falls by 6 to 9 of them."""

JAGGED = 2.5
"""Teeth of a saw that are ten readings long are as jagged as this; noise is less."""

QUICK = 0.2
"""What grew within this share of the time that was watched grew once."""

REGULAR = 0.6
"""Share of the variance that a wave of one day must explain."""

GROWING = frozenset({Shape.STEADY, Shape.STEPS})


def shape_of(past: Past, went: Course, limit: int | None, scarcest: float, unit: float) -> Shape:
    """The shape of what was seen so far."""
    width = went.high - went.low
    if limit and went.high >= FULL * limit:
        return Shape.BOUNDED
    if went.points < 3 or width < 2.0 * unit:
        return Shape.FLAT if width < 2.0 * unit and went.duration_s >= SHORT_S else Shape.UNSURE
    if scarcest >= 1.0:
        return _growing(went)
    if went.duration_s >= 1.5 * DAY_S and _follows_the_day(past):
        return Shape.DAY_CYCLE
    if went.fall >= width / 2.0:
        return _fallen(went)
    return _risen(went)


def _growing(went: Course) -> Shape:
    leaps = went.longest_rest_s > 3.0 * went.interval_s and went.rises < 0.3 * (went.run_s / went.interval_s)
    return Shape.STEPS if leaps else Shape.STEADY


def _fallen(went: Course) -> Shape:
    if went.fall < NOISE * went.step and went.jagged < JAGGED:
        return Shape.FLAT
    return Shape.SAWTOOTH if went.risen_since_fall >= went.fall / 2.0 else Shape.SPIKE


def _risen(went: Course) -> Shape:
    rested = went.rest_s >= max(SHORT_S, 2.5 * went.interval_s, 1.5 * went.longest_rest_s)
    slowed = went.early_per_s > 0.0 and went.late_per_s / went.early_per_s + went.doubt < slowest(went)
    if rested and went.rest_s > 0.1 * went.duration_s:
        if went.duration_s - went.rest_s - went.began_s <= QUICK * went.duration_s:
            return Shape.ONE_OFF
        return Shape.BOUNDED
    if went.log10_evidence >= ALIKE and went.new > 0.0:
        return Shape.WARM_UP if slowed else _growing(went)
    width = went.high - went.low
    wobbles = width < NOISE * went.step and went.last - went.first < width / 2.0
    return Shape.FLAT if wobbles else Shape.UNSURE


def _follows_the_day(past: Past) -> bool:
    """Whether a wave of one day explains most of it; sums, because products of matrices differ by machine."""
    seconds = np.diff(past.time_s, prepend=0.0)
    weight = seconds / seconds.sum()
    angle = 2.0 * np.pi * past.time_s / DAY_S
    level = past.value - (weight * past.value).sum()
    total = (weight * level * level).sum()
    waves = [wave - (weight * wave).sum() for wave in (np.sin(angle), np.cos(angle))]
    explained = sum((weight * level * wave).sum() ** 2 / (weight * wave * wave).sum() for wave in waves)
    return bool(explained >= REGULAR * total > 0.0)


def sentence_of(shape: Shape, went: Course, limit: int | None, per_s: tuple[float, float, float]) -> str:
    """What was seen, in one sentence."""
    time = f"{went.duration_s:.0f} s"
    between = f"between {_number(went.low)} and {_number(went.high)}"
    match shape:
        case Shape.UNSURE:
            return f"{_number(went.first)} to {_number(went.last)} in {time}, {went.points} readings: too few"
        case Shape.FLAT:
            return f"stays {between} for {time}"
        case Shape.SAWTOOTH:
            return f"rises and falls {between} in {time}, and once by {_number(went.fall)}"
        case Shape.DAY_CYCLE:
            return f"follows the day, {between}, for {time}"
        case Shape.SPIKE:
            return f"rose to {_number(went.trough + went.fall)} and fell to {_number(went.trough)} in {time}"
        case Shape.ONE_OFF | Shape.BOUNDED if not (limit and went.high >= FULL * limit):
            grown = f"grew from {_number(went.first)} to {_number(went.high)}"
            return f"{grown} and has rested for {went.rest_s:.0f} of {time}"
        case Shape.BOUNDED:
            return f"is full: {_number(went.last)} of at most {limit}"
        case _:
            return _grown(shape, went, limit, per_s)


def _grown(shape: Shape, went: Course, limit: int | None, per_s: tuple[float, float, float]) -> str:
    rate, low, high = per_s
    text = f"grew from {_number(went.last - went.new)} to {_number(went.last)} in {went.run_s:.0f} s"
    text += f", by {rate:.3g} ± {(high - low) / 2:.2g} a second"
    text += f", with a fall of {_number(went.fall)} at most" if went.fall else ", without a fall"
    if went.began_s:
        text += f"; it began after {went.began_s:.0f} s"
    if limit:
        text += f"; it has room for {limit}"
    elif shape is Shape.WARM_UP:
        text += f"; it slowed down from {went.early_per_s:.3g} to {went.late_per_s:.3g} a second"
    return text


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.2g}"
