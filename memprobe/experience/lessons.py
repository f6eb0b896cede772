"""What a run has to teach about its program, at its end.

Nothing of what piles up, or may, is learned to be normal: a leak that is watched often becomes no habit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from memprobe.experience.lifetimes import Lifetimes
from memprobe.models.age import Curve
from memprobe.models.growth import Shape
from memprobe.models.learning.habit import Habit, size_class
from memprobe.models.learning.normal import Normal
from memprobe.models.sketch import Numbers, Places, buckets, middles
from memprobe.vocab.sort import Sort
from memprobe.vocab.subject import What

OLD_S = 60.0
"""What is older has become old; in a run of less than two minutes what is older than half of it."""

RESTING = (Shape.FLAT, Shape.BOUNDED, Shape.SAWTOOTH, Shape.DAY_CYCLE, Shape.ONE_OFF, Shape.SPIKE)
"""How a number went that did not pile up; a warm-up still may, and of some it is not known."""

DOUBTFUL = 0.1
"""From this probability of growing for good on, a number may be piling up."""

LEAST_COUNT = 64
"""Of fewer nobody asks how many are usual."""

ENOUGH_RUNS = 1.5
"""Expectations that rest on fewer earlier runs are not held to account."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a subject stands at the end of a run."""

    what: What
    sort: Sort
    count: int
    shape: Shape
    probability: float
    """That it grows for good."""

    @property
    def may_pile_up(self) -> bool:
        """Whether it may be a leak."""
        return self.probability >= DOUBTFUL or self.shape not in (*RESTING, Shape.WARM_UP, Shape.UNSURE)

    @property
    def rests(self) -> bool:
        """Whether it has come to rest where it stands."""
        return self.shape in RESTING and self.probability < DOUBTFUL


def lessons(
    lifetimes: Lifetimes, stands: Iterable[Stand], duration_s: float, normal: Normal
) -> dict[Sort, Habit]:
    """Return what was seen of every sort, as a habit of one run."""
    stands = tuple(stands)
    piling = {stand.sort for stand in stands if stand.what is What.HANDLES and stand.may_pile_up}
    old_s = min(OLD_S, duration_s / 2)
    learned = {
        sort: _of_lifetimes(sort, lifetimes, _concerned(sort, piling), old_s, normal) for sort in lifetimes
    }
    for sort, sized in lifetimes.sizes.items():
        _note_sizes(learned[sort], sized)
    for stand in stands:
        if stand.rests and stand.count >= LEAST_COUNT and stand.sort.site:
            habit = learned.setdefault(stand.sort, Habit(runs=1.0))
            habit.counts.add(np.array([float(stand.count)]))
    return learned


def _note_sizes(habit: Habit, sized: Sequence[tuple[int, float]]) -> None:
    """Note how large files were, and how long those of each size lived."""
    habit.sizes.add(np.array([size_bytes for size_bytes, _ in sized], float))
    lives: dict[int, list[float]] = {}
    for size_bytes, age_s in sized:
        lives.setdefault(size_class(size_bytes), []).append(age_s)
    habit.life_by_size = {size: sum(ages_s) / len(ages_s) for size, ages_s in sorted(lives.items())}


def _concerned(sort: Sort, piling: Iterable[Sort]) -> bool:
    """Tell whether something of this sort may be piling up."""
    return any(
        other.kind == sort.kind
        and (not sort.group or other.group in ("", sort.group))
        and (not sort.site or other.site in ("", sort.site))
        for other in piling
        if other.site or other.group
    )


def _of_lifetimes(
    sort: Sort, lifetimes: Mapping[Sort, Curve], piles: bool, old_s: float, normal: Normal
) -> Habit:
    curve = lifetimes[sort]
    ends, weights = curve.ended.arrays()
    alive, still = curve.alive.arrays()
    became_old = bool(still[alive > buckets(np.array([old_s]))[0]].sum() > 0)
    habit = Habit(curve, life_s=_mean(ends, weights), runs=1.0)
    if piles:
        # Those that go on are no witness of how long such things live: they may be the leak.
        habit.curve = Curve(curve.ended, entered=curve.entered)
        return habit
    if became_old:
        habit.kept = 1.0
    elif curve.ended.total:
        habit.closed = 1.0
    _hold_to_account(habit, sort, normal)
    return habit


def _hold_to_account(habit: Habit, sort: Sort, normal: Normal) -> None:
    """Note whether it came out as earlier runs had it expected."""
    before = normal.protection(sort)
    if before.runs < ENOUGH_RUNS or habit.kept + habit.closed == 0:
        return
    as_expected = (before.score >= 0.5) == (habit.kept > 0)
    habit.right, habit.wrong = float(as_expected), float(not as_expected)


def _mean(places: Places, weights: Numbers) -> float | None:
    total = float(weights.sum())
    return float((middles(places) * weights).sum()) / total if total > 0 else None
