"""What is normal for a program: what detectors ask, and how far the answer may move a verdict.

Experience makes a verdict calmer or sharper by a bounded step on the scale of log-odds. It hides nothing: a
finding stays in the report, and stays on its side of 0.5 unless the user's own word moves it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from memprobe.models.age import STRENGTH, Curve, Share, will_end
from memprobe.models.learning.defaults import default_of
from memprobe.models.learning.habit import Habit, size_class
from memprobe.models.learning.opinion import Opinion, opinion_on
from memprobe.vocab.sort import Sort

CONFIDENT = 0.5
"""The side of this on which a verdict is, only the user changes."""

NEARLY = 0.49
"""As far as what is on the other side may come; rounded it must not seem to have crossed."""

ASSUMED_STEP = 0.5
"""The most that a default moves the natural log-odds of a confidence."""

LEARNED_STEP = 1.5
"""The most that earlier runs of the program move them."""

USUAL_STEP = 1.0
"""For a number that earlier runs have reached, too, without growing on."""

SLIGHT = 0.05
"""A smaller step is not worth a sentence."""

ENOUGH_RUNS = 1.5
"""Fewer earlier runs than this, old ones weighing less, say nothing about how many are usual."""

OPENED_AND_CLOSED = 8.0
"""After so many closings at a place, half of the belief is gone that it keeps things on purpose."""

LOWEST, HIGHEST = 0.01, 0.99


@dataclass(frozen=True, slots=True)
class Needed:
    """The probability that something is still needed: it will yet be closed, or is kept on purpose."""

    probability: float
    low: float
    high: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Protection:
    """How likely such things are kept on purpose; 0.5 says nothing."""

    score: float
    reason: str
    runs: float
    """Earlier runs that it rests on; 0: a default alone."""

    right: float
    """Runs that came out as it had been expected."""

    wrong: float


@dataclass(frozen=True, slots=True)
class Weighed:
    """A confidence after experience, and what was said in doing so."""

    confidence: float
    evidence: tuple[str, ...] = ()


@dataclass(slots=True)
class Normal:
    """What earlier runs and this one have shown of a program."""

    habits: Mapping[Sort, Habit] = field(default_factory=dict)
    """From earlier runs."""

    opinions: tuple[Opinion, ...] = ()
    live: Mapping[Sort, Curve] = field(default_factory=dict)
    """The lifetimes of this run; whoever folds them fills it in."""

    def needed(self, sort: Sort, age_s: float, size_bytes: int | None = None) -> Needed:
        """Tell whether one of this sort that is this old is still needed."""
        curves = [curve for width in sort.widths if (curve := self._curve(width)).total > 0]
        ending = will_end(curves, self._life_s(sort, size_bytes), age_s)
        kept = self._kept(sort, curves[-1].ended.total if curves else 0.0)
        value, low, high = (1 - (1 - share) * (1 - kept) for share in (ending.value, ending.low, ending.high))
        return Needed(value, low, high, _said_of_age(age_s, ending, curves))

    def protection(self, sort: Sort) -> Protection:
        """Tell how likely such things are kept on purpose."""
        default = default_of(sort)
        score, reason, runs, right, wrong = default.kept, default.reason, 0.0, 0.0, 0.0
        for width, habit in self._told(sort):
            told = habit.kept + habit.closed
            score = (habit.kept + STRENGTH * score) / (told + STRENGTH)
            reason, runs, right, wrong = _said_of_runs(width, habit), told, habit.right, habit.wrong
        return Protection(score, reason, runs, right, wrong)

    def weighed(
        self, confidence: float, sort: Sort, finding_id: str = "", *, count: int | None = None
    ) -> Weighed:
        """Return how sure a finding is after experience; `count` is how many there are."""
        if not 0 < confidence < 1:
            return Weighed(confidence)
        protection, usual = self.protection(sort), self._usual_step(sort, count)
        most = LEARNED_STEP if protection.runs else ASSUMED_STEP
        step = max(-most, min(most, -0.5 * log_odds(protection.score)))
        moved = same_side(confidence, shifted(confidence, step + usual[0]))
        said = [f"{protection.reason}: {_calmer_or_sharper(step)}"] if abs(step) >= SLIGHT else []
        said += [usual[1]] if usual[1] else []
        opinion = opinion_on(self.opinions, finding_id, sort)
        if opinion is not None:
            moved = shifted(moved, opinion.step)
            said.append(opinion.sentence)
        return Weighed(max(LOWEST, min(HIGHEST, moved)), tuple(said))

    def as_json(self) -> dict[str, Any]:
        """Return what earlier runs have shown as plain data: a replay needs the same."""
        habits = [[one.kind, one.group, one.site, habit.as_json()] for one, habit in self.habits.items()]
        return {"habits": habits, "opinions": [opinion.as_json() for opinion in self.opinions]}

    @classmethod
    def from_json(cls, value: Any) -> Normal:
        """Undo `as_json`; raise ValueError or TypeError for anything else."""
        habits = {
            Sort(str(kind), str(group), str(site)): Habit.from_json(habit)
            for kind, group, site, habit in value.get("habits", [])
        }
        return cls(habits, tuple(Opinion.from_json(one) for one in value.get("opinions", [])))

    def _kept(self, sort: Sort, closed: float) -> float:
        """Return the probability that an old one is kept, at a place where so many were closed.

        What closes what it opens seldom keeps some on purpose, unless earlier runs have shown just that.
        """
        protection = self.protection(sort)
        learned = protection.runs / (protection.runs + STRENGTH)
        assumed = OPENED_AND_CLOSED / (OPENED_AND_CLOSED + closed)
        return protection.score * (learned + (1 - learned) * assumed)

    def _told(self, sort: Sort) -> Iterator[tuple[Sort, Habit]]:
        """Yield what runs have told of its group and of itself; or else of its place, whatever the group."""
        told = [
            (width, habit)
            for width in sort.widths[1:]  # all files of a program are no sort
            if (habit := self.habits.get(width)) and habit.kept + habit.closed > 0
        ]
        itself = any(width == sort for width, _ in told)
        return ((width, habit) for width, habit in told if width.group or not itself or width == sort)

    def _curve(self, sort: Sort) -> Curve:
        live, habit = self.live.get(sort), self.habits.get(sort)
        if live is None or habit is None:
            return live or (habit.curve if habit else Curve())
        return live + habit.curve

    def _life_s(self, sort: Sort, size_bytes: int | None) -> float:
        """How long such things commonly live; files of a size that is known to live longer have longer."""
        life_s = default_of(sort).life_s
        if size_bytes is None:
            return life_s
        size = size_class(size_bytes)
        known = [habit.life_by_size.get(size) for one in sort.widths if (habit := self.habits.get(one))]
        return max([life_s, *(one for one in known if one)])

    def _usual_step(self, sort: Sort, count: int | None) -> tuple[float, str]:
        habit = self.habits.get(sort)
        highest = habit.counts.quantile(1.0) if habit and habit.counts.total >= ENOUGH_RUNS else None
        if habit is None or highest is None or count is None:
            return 0.0, ""
        if count <= highest * 1.1:
            runs = round(habit.counts.total)
            return -USUAL_STEP, f"in {runs} earlier runs there were up to {highest:,.0f}, and no more came"
        return 0.0, ""


def log_odds(probability: float) -> float:
    """Return the natural logarithm of the odds."""
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))


def shifted(probability: float, step: float) -> float:
    """Return a probability whose log-odds were moved."""
    return 1 / (1 + math.exp(-(log_odds(probability) + step)))


def same_side(before: float, after: float) -> float:
    """Keep a verdict on its side."""
    if before >= CONFIDENT:
        return max(after, CONFIDENT)
    return min(after, max(before, NEARLY))


def _said_of_runs(sort: Sort, habit: Habit) -> str:
    where = sort.site or sort.group or sort.kind
    told = habit.kept + habit.closed
    if habit.kept > habit.closed:
        return f"in {habit.kept:.0f} of {told:.0f} earlier runs {where} kept some, and they became no more"
    return f"in {habit.closed:.0f} of {told:.0f} earlier runs {where} closed what had become old"


def _said_of_age(age_s: float, ending: Share, curves: Sequence[Curve]) -> str:
    these = f"these are {_seconds(age_s)} old"
    if not curves:
        return f"{these}: {ending.value:.0%} of such things are assumed to be closed yet"
    typical = curves[-1].ended.quantile(0.99)
    if typical is None:
        return f"none of {curves[-1].total:,.0f} of this sort was ever closed; {these}"
    closed = f"of {curves[-1].ended.total:,.0f} of this sort that were closed, 99 %"
    return f"{closed} were so within {_seconds(typical)}; {these}"


def _calmer_or_sharper(step: float) -> str:
    return "this speaks for a leak" if step > 0 else "this speaks against a leak"


def _seconds(value: float) -> str:
    return f"{value:,.0f} s" if value >= 10 else f"{value:.3g} s"
