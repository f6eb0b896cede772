"""Survival: how long things of one sort live, and whether one that is this old is still needed.

What is still open has not ended (censored), and what was first seen at some age says nothing about those that
ended younger (left truncation). Both are Kaplan and Meier's business. The question behind it is another: some
things are forgotten and never end. So a sort is taken for a mixture: a share of it is forgotten, the others
live as their sort does. The share is found by expectation and maximisation, shrunk to that of the wider sort,
and so is the survival: where little is known of a birth site, its group speaks, then its kind, then the
defaults.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from memprobe.models.sketch import Numbers, Places, Sketch, buckets, middles

STRENGTH = 4.0
"""What the wider sort says weighs as much as so many things of the narrower one."""

FORGOTTEN = 0.01
"""Of things of which nothing is known, so many are forgotten."""

ROUNDS = 12
"""Of expectation and maximisation; the share is then within 1 % of its limit on all of the tests."""

Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """An estimated share with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(slots=True)
class Curve:
    """Ages at which things of one sort ended, and at which they were last seen alive."""

    ended: Sketch = field(default_factory=Sketch)
    alive: Sketch = field(default_factory=Sketch)
    """Censored: still open, or ended with their process."""

    entered: Sketch = field(default_factory=Sketch)
    """The ages at which those came under observation that did so after their birth."""

    @property
    def total(self) -> float:
        """How many it is made of."""
        return self.ended.total + self.alive.total

    def add(
        self, ages: Numbers, ended: np.ndarray[Any, np.dtype[np.bool_]], entered: Numbers | None = None
    ) -> None:
        """Take in lifetimes: age at the end (or now), whether it is the end, and the age when first seen.

        An `entered` of 0 is a birth that was seen. What came and went within one bucket says nothing.
        """
        if entered is not None:
            late = entered > 0
            told = ~late | (buckets(entered) < buckets(ages))
            self.entered.add(entered[late & told])
            ages, ended = ages[told], ended[told]
        self.ended.add(ages[ended])
        self.alive.add(ages[~ended])

    def __add__(self, other: Curve) -> Curve:
        return Curve(self.ended + other.ended, self.alive + other.alive, self.entered + other.entered)

    def scaled(self, factor: float) -> Curve:
        """Return it with less weight."""
        return Curve(self.ended.scaled(factor), self.alive.scaled(factor), self.entered.scaled(factor))

    def survival(self, age_s: float) -> Share:
        """Return the share that lives longer than this: Kaplan and Meier's, with the log-log interval."""
        table = self.table()
        at = int(np.searchsorted(table.places, buckets(np.array([age_s]))[0], side="right")) - 1
        if at < 0:
            return Share(1.0, _none_of(table.at_risk[0]) if len(table.at_risk) else 0.0, 1.0)
        return table.share(at)

    def table(self) -> LifeTable:
        """Return the life table."""
        places = np.union1d(*(sketch.arrays()[0] for sketch in (self.ended, self.alive)))
        ended, alive = _spread(self.ended, places), _spread(self.alive, places)
        at_risk = _from_here_on(ended + alive) - _entering_from(self.entered, places)
        ended = np.minimum(ended, np.maximum(at_risk, 0.0))
        left = np.where(at_risk > 0, 1 - ended / np.where(at_risk > 0, at_risk, 1.0), 1.0)
        return LifeTable(
            places.astype(np.int64), ended, np.maximum(at_risk, 0.0), np.asarray(np.cumprod(left), np.float64)
        )


@dataclass(frozen=True, slots=True)
class LifeTable:
    """Ages in order, what ended at each, how many were under observation, and the share that outlived it."""

    places: Places
    ended: Numbers
    at_risk: Numbers
    survival: Numbers

    def share(self, at: int) -> Share:
        """Return the survival at one row with its interval (Greenwood's variance, log-log scale)."""
        value = float(self.survival[at])
        if value >= 1.0:
            return Share(1.0, _none_of(float(self.at_risk[at])), 1.0)
        if value <= 0.0:
            return Share(0.0, 0.0, 1 - _none_of(float(self.at_risk[: at + 1].max())))
        ended, at_risk = self.ended[: at + 1], self.at_risk[: at + 1]
        left = at_risk * (at_risk - ended)
        variance = float((ended / np.where(left > 0, left, 1.0)).sum())
        width = Z95 * math.sqrt(variance) / abs(math.log(value))
        return Share(value, value ** math.exp(width), value ** math.exp(-width))

    def after(self, places: Places) -> Numbers:
        """Return the survival at each of these buckets."""
        at = np.searchsorted(self.places, places, side="right")
        values: Numbers = np.concatenate(([1.0], self.survival))[at]
        return values


@dataclass(frozen=True, slots=True)
class Living:
    """How a sort lives: what the mixture came to."""

    grid: Places
    survival: Numbers
    """Of those that are not forgotten, at every place of the grid."""

    forgotten: float
    """The share that never ends."""

    ended: float
    """How much of it was learned from things that ended, those of wider sorts with their small weight."""

    total: float


def default_living(grid: Places, scale_s: float) -> Living:
    """Return how things live of which nothing is known: half live longer than `scale_s`, a few far longer."""
    return Living(grid, 1 / (1 + middles(grid) / scale_s), FORGOTTEN, 0.0, 0.0)


def narrowed(wider: Living, curve: Curve, table: LifeTable) -> Living:
    """Return how the narrower sort lives that this curve is of; like the wider one if little is known."""
    ended, total = curve.ended.total, curve.total
    if total <= 0:
        return wider
    together, thinning = table.after(wider.grid), _thinning(table, wider.grid)
    alive_places, alive = curve.alive.arrays()
    at = np.minimum(np.searchsorted(wider.grid, alive_places), len(wider.grid) - 1)
    share, survival = wider.forgotten, wider.survival
    for _ in range(ROUNDS):
        own = np.clip((together - share) / max(1 - share, 1e-9), 0.0, 1.0) * thinning
        survival = (ended * own + STRENGTH * wider.survival) / (ended + STRENGTH)
        doubtful = (1 - share) * survival[at] if len(alive) else np.zeros(0)
        forgotten = float((alive * (share / (share + doubtful))).sum()) if len(alive) else 0.0
        share = (forgotten + STRENGTH * wider.forgotten) / (total + STRENGTH)
    return Living(wider.grid, survival, share, ended + STRENGTH, total + STRENGTH)


def _thinning(table: LifeTable, grid: Places) -> Numbers:
    """Return by how much fewer are alive at each place because nothing ends any more after the last end.

    What goes on after it is not known; of things that are needed a part ends in every doubling of the age, so
    those that outlive the last end by far are probably forgotten.
    """
    ends = table.places[table.ended > 0]
    if not len(ends):
        return np.ones(len(grid))
    return np.minimum(1.0, middles(ends[-1:]) / middles(grid))


def will_end(curves: Sequence[Curve], scale_s: float, age_s: float) -> Share:
    """Return the probability that something this old will yet end; the widest sort's curve is first."""
    place = buckets(np.array([age_s]))
    tables = [curve.table() for curve in curves]
    grid = np.unique(np.concatenate([place, *(table.places for table in tables)]))
    living = default_living(grid, scale_s)
    for curve, table in zip(curves, tables, strict=True):
        living = narrowed(living, curve, table)
    at = int(np.searchsorted(grid, place[0]))
    survival = wilson(float(living.survival[at]), living.ended + STRENGTH)
    forgotten = wilson(living.forgotten, living.total + STRENGTH)
    return Share(
        _of_two(float(living.survival[at]), living.forgotten),
        _of_two(survival.low, forgotten.high),
        _of_two(survival.high, forgotten.low),
    )


def wilson(value: float, weight: float) -> Share:
    """Return Wilson's 95 % interval of a share that was seen with this weight."""
    square = Z95 * Z95
    middle = (value + square / (2 * weight)) / (1 + square / weight)
    width = Z95 / (1 + square / weight) * math.sqrt(value * (1 - value) / weight + square / (4 * weight**2))
    return Share(value, max(0.0, min(value, middle - width)), min(1.0, max(value, middle + width)))


def _of_two(survival: float, forgotten: float) -> float:
    living = (1 - forgotten) * survival
    return living / (living + forgotten) if living + forgotten > 0 else 1.0


def _none_of(weight: float) -> float:
    """Lower bound of a share of 1 that was seen with this weight: none of so many did otherwise."""
    return 0.025 ** (1 / weight) if weight > 0 else 0.0


def _spread(sketch: Sketch, places: Places) -> Numbers:
    own, weights = sketch.arrays()
    values = np.zeros(len(places))
    values[np.searchsorted(places, own)] = weights
    return values


def _from_here_on(values: Numbers) -> Numbers:
    sums: Numbers = np.cumsum(values[::-1])[::-1]
    return sums


def _entering_from(entered: Sketch, places: Places) -> Numbers:
    """How many come under observation at this place or later: they are not yet at risk there."""
    own, weights = entered.arrays()
    later = np.concatenate((_from_here_on(weights), [0.0]))
    values: Numbers = later[np.searchsorted(own, places)]
    return values
