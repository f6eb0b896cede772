"""How a series went, in figures: what the needs of a verdict and its shape are judged by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from memprobe.models.growth.evidence import evidence, evidence_from_first
from memprobe.models.growth.history import Past


@dataclass(frozen=True, slots=True)
class Course:
    """A series, and in it the run: what came after the point at which growth most likely began."""

    points: int
    first: float
    last: float
    low: float
    high: float
    duration_s: float
    interval_s: float
    """Between the two last points."""

    log10_evidence: float
    start: int
    """The bucket at whose end the run began."""

    began_s: float
    run_s: float
    new: float
    """New ground: how far the last value is above all that was before the run."""

    fall: float
    """The deepest fall of all, from a value to any later one."""

    trough: float
    """Where that one ended."""

    risen_since_fall: float
    """The highest value after it, less the trough."""

    jagged: float
    """Mean squared step / squared mean step: 1.6 of noise, a quarter of the length of a tooth of a saw."""

    churn: float
    """Steps down as a share of steps up, in the run: 0 if nothing ever left."""

    fallen: float
    """The sum of all steps down, of the whole series."""

    step: float
    """The mean size of a step, up or down."""

    rest_s: float
    """Since a value was reached that had not been reached before."""

    longest_rest_s: float
    """The longest such time within the run that ended."""

    rises: int
    """How often in the run a new height was reached, as far as the buckets tell."""

    early_per_s: float
    """Before the middle of the run, or before the run if that was faster and is not long ago."""

    late_per_s: float
    """After the middle of the run."""

    doubt: float
    """The standard error of late / early."""


def courses(scales: Sequence[Past], unit: float) -> Iterator[Course]:
    """A series of two points or more, read at several scales (the finest first), as one or two courses.

    The run of the one is where there is most evidence for growth, that of the other the whole: a leak under
    the teeth of a saw has more evidence in its last tooth, and falls as deep as that is high; and one like
    clockwork has most after the one reading that came late, and has grown for longer.
    """
    log10, began_s = evidence(scales, unit)
    past = scales[0]
    start = int(past.time_s.searchsorted(began_s))
    yield _course(past, start, log10)
    if start:
        yield _course(past, 0, evidence_from_first(scales, unit))


def _course(past: Past, start: int, log10_evidence: float) -> Course:
    time_s, value = past.time_s, past.value
    last, began_s, duration_s = float(value[-1]), float(time_s[start]), float(time_s[-1])
    heights = np.maximum.accumulate(past.high)
    fall, trough, risen = _deepest_fall(past, heights)
    net = last - float(value[start])
    fallen = float(past.fallen[start + 1 :].sum())
    fallen_in_all = float(past.fallen.sum())
    points = int(past.points.sum())
    step = (last - float(value[0]) + 2.0 * fallen_in_all) / (points - 1)
    squared_step = float(past.rough.sum() / past.pace.sum())
    rest_s, longest_rest_s, rises = _rests(time_s, heights, start)
    early, late, doubt = _rates(past, start)
    return Course(
        points=points,
        first=float(value[0]),
        last=last,
        low=float(past.low.min()),
        high=float(heights[-1]),
        duration_s=duration_s,
        interval_s=duration_s - float(time_s[-2]),
        log10_evidence=log10_evidence,
        start=start,
        began_s=began_s,
        run_s=duration_s - began_s,
        new=last - float(heights[start]),
        fall=fall,
        trough=trough,
        risen_since_fall=risen,
        jagged=squared_step / step**2 if step > 0.0 else 0.0,
        churn=fallen / (net + fallen) if net > 0.0 else 1.0,
        fallen=fallen_in_all,
        step=step,
        rest_s=rest_s,
        longest_rest_s=longest_rest_s,
        rises=rises,
        early_per_s=early,
        late_per_s=late,
        doubt=doubt,
    )


def _deepest_fall(past: Past, heights: NDArray[np.float64]) -> tuple[float, float, float]:
    """How deep the deepest fall was, down to what, and how far it rose again."""
    falls = past.drop.copy()
    np.maximum(falls[1:], heights[:-1] - past.low[1:], out=falls[1:])
    deepest = int(falls.argmax())
    trough = float(past.low[deepest])
    later = past.high[deepest + 1 :]
    again = max(float(past.value[deepest]), float(later.max()) if len(later) else trough)
    return float(falls[deepest]), trough, again - trough


def _rests(time_s: NDArray[np.float64], heights: NDArray[np.float64], start: int) -> tuple[float, float, int]:
    """How long no new height was reached, the longest such time before, and how often one was.

    At the least: within a bucket nobody knows when it was.
    """
    rises = np.flatnonzero(heights[1:] > heights[:-1]) + 1
    if not len(rises):
        return float(time_s[-1]), 0.0, 0
    rest_s = float(time_s[-1] - time_s[rises[-1]])
    rises = rises[rises > start]
    rests = time_s[rises - 1] - time_s[np.append(start, rises[:-1])] if len(rises) else np.zeros(1)
    return rest_s, float(rests.max()), len(rises)


def _rates(past: Past, start: int) -> tuple[float, float, float]:
    """The rate in the earlier and in the later half of the run, and the standard error of their ratio."""
    time_s, value = past.time_s, past.value
    end = len(time_s) - 1
    began_s, now_s = float(time_s[start]), float(time_s[end])
    middle = int(np.searchsorted(time_s, (began_s + now_s) / 2))
    if middle in (start, end):
        return 0.0, 0.0, 0.0
    early, late = _rate(past, start, middle), _rate(past, middle, end)
    run_s, half_s = now_s - began_s, float(time_s[middle]) - began_s
    wandering = float(past.rough[start + 1 :].sum()) - (value[end] - value[start]) ** 2 / run_s
    variance = max(float(wandering), 0.0) / float(past.points[start + 1 :].sum())
    if start and run_s < 2.0 * began_s:
        before = int(np.searchsorted(time_s, max(began_s - run_s, 0.0)))
        early = max(early, _rate(past, before, start)) if before < start else early
    doubt = sqrt(variance * (1.0 / half_s + 1.0 / (run_s - half_s))) / early if early > 0.0 else 0.0
    return early, late, doubt


def _rate(past: Past, one: int, other: int) -> float:
    return float((past.value[other] - past.value[one]) / (past.time_s[other] - past.time_s[one]))
