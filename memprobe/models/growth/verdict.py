"""From the past of a series to what it has come to."""

from __future__ import annotations

import numpy as np

from memprobe.models.growth.evidence import evidence
from memprobe.models.growth.history import Past
from memprobe.models.growth.shape import Growth, Shape
from memprobe.models.growth.slope import slope

LASTED_S = 16.0
"""Growth that has lasted shorter is not called growth for good."""

LATE = 1 / 8
"""Growth that began later must have lasted this share of the time before it."""

PIECES = 100.0
"""Fewer are what a pool takes."""

FALLS = 3.0
"""How many times the deepest fall it must have grown."""

EVIDENCE = 4.3
"""log10 of 200 series times 100 days: by chance one false alarm among them."""

REST = 0.25
"""Share of the time that it grew after which rest means that it has come to rest."""


def verdict(past: Past, limit: int | None, unit: float) -> Growth:
    """What a series has come to."""
    points, value = int(past.points.sum()), past.value
    duration_s = float(past.time_s[-1]) if points else 0.0
    if points < 2:
        return Growth(Shape.UNSURE, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, points, duration_s, "seen only once")
    log10, start = evidence(past, unit)
    per_s, low, high = slope(past.time_s[start:], value[start:])
    shape, probability = _judged(past, start, log10, limit, unit)
    sentence = f"went from {value[0]:g} to {value[-1]:g} in {duration_s:.0f} s, by {per_s:.3g} a second"
    added = float(value[-1] - value[0])
    return Growth(shape, per_s, low, high, log10, probability, added, points, duration_s, sentence)


def _judged(past: Past, start: int, log10: float, limit: int | None, unit: float) -> tuple[Shape, float]:
    top = float(past.high.max())
    if limit is not None and limit > 0:
        return (Shape.BOUNDED if top >= 0.98 * limit else Shape.WARM_UP), 0.0
    if top - float(past.low.min()) < 2 * unit:
        return Shape.FLAT, 0.0
    began_s, now_s = float(past.time_s[start]), float(past.time_s[-1])
    lasted_s = now_s - began_s
    added = float(past.value[-1]) - float(past.high[: start + 1].max())
    risen_s = float(past.time_s[int(np.argmax(past.value >= past.value[-1]))])
    rest_s = now_s - risen_s
    fall = max(float(past.drop.max()), float((np.maximum.accumulate(past.high) - past.low).max()))
    weakest = min(
        lasted_s / max(LASTED_S, LATE * began_s),
        added / (PIECES * unit),
        log10 / EVIDENCE,
        added / (FALLS * fall) if fall > 0 else np.inf,
        1.0 if rest_s < max(5.0, REST * lasted_s) else 0.2,
    )
    probability = max(weakest, 0.0) / (1.0 + max(weakest, 0.0))
    if log10 > 2 and added > 0:
        return Shape.STEADY if rest_s < max(5.0, REST * lasted_s) else Shape.ONE_OFF, float(probability)
    return (Shape.SAWTOOTH if fall > 0.5 * (top - float(past.low.min())) else Shape.UNSURE), float(
        probability
    )
