"""What has been seen of one sort of thing, run after run: it can be added up, and fades."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from memprobe.models.age import Curve
from memprobe.models.sketch import Sketch, weight_in

HALF_LIFE_S = 30 * 86_400.0
"""What was learned weighs half as much after so long: programs change."""

MOST_HALVINGS = 4.0
"""It fades by no more than this at once: a clock may have jumped ahead by years."""

NEWEST = 0.3
"""The weight of the newest run in the moving average."""


@dataclass(slots=True)
class Habit:
    """How one sort of thing behaves; the runs and counts lose weight with time."""

    curve: Curve = field(default_factory=Curve)
    life_s: float | None = None
    """Moving average over runs of how long those lived that ended."""

    counts: Sketch = field(default_factory=Sketch)
    """How many there were at the end of runs in which they did not pile up."""

    sizes: Sketch = field(default_factory=Sketch)
    """Bytes of those whose size was seen."""

    life_by_size: dict[int, float] = field(default_factory=dict)
    """By `size_class` the moving average of how long files of that size live."""

    runs: float = 0.0
    """In which any of it was seen."""

    closed: float = 0.0
    """Runs in which all that had become old was closed again."""

    kept: float = 0.0
    """Runs in which some were kept for long and did not become more."""

    right: float = 0.0
    """Runs that came out as was expected by what was known before them."""

    wrong: float = 0.0

    def faded(self, elapsed_s: float) -> Habit:
        """Return it as it weighs after so long; a clock that went backwards changes nothing."""
        factor = 0.5 ** (min(max(0.0, elapsed_s) / HALF_LIFE_S, MOST_HALVINGS))
        return Habit(
            self.curve.scaled(factor),
            self.life_s,
            self.counts.scaled(factor),
            self.sizes.scaled(factor),
            dict(self.life_by_size),
            *(value * factor for value in (self.runs, self.closed, self.kept, self.right, self.wrong)),
        )

    def __add__(self, newer: Habit) -> Habit:
        return Habit(
            self.curve + newer.curve,
            averaged(self.life_s, newer.life_s),
            self.counts + newer.counts,
            self.sizes + newer.sizes,
            {
                size: averaged(self.life_by_size.get(size), newer.life_by_size.get(size)) or 0.0
                for size in sorted(self.life_by_size.keys() | newer.life_by_size.keys())
            },
            self.runs + newer.runs,
            self.closed + newer.closed,
            self.kept + newer.kept,
            self.right + newer.right,
            self.wrong + newer.wrong,
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data; what is empty is left out."""
        sketches = {name: _sketch_of(self, name).as_json() for name in SKETCHES}
        numbers = {name: getattr(self, name) for name in NUMBERS}
        by_size = {str(size): life_s for size, life_s in self.life_by_size.items()}
        everything = {**sketches, **numbers, "life_by_size": by_size}
        return {name: value for name, value in everything.items() if value}

    @classmethod
    def from_json(cls, value: Any) -> Habit:
        """Undo `as_json`; raise ValueError or TypeError for anything else."""
        if not isinstance(value, Mapping):
            raise TypeError("a habit is an object")
        habit = cls()
        for name in SKETCHES:
            setattr(habit.curve if name in CURVE else habit, name, Sketch.from_json(value.get(name, {})))
        for name in NUMBERS:
            if value.get(name) is not None:
                setattr(habit, name, weight_in(value[name]))
        by_size = _pairs(value.get("life_by_size", {}))
        habit.life_by_size = {int(size): weight_in(life_s) for size, life_s in by_size}
        return habit


CURVE = ("ended", "alive", "entered")
SKETCHES = (*CURVE, "counts", "sizes")
NUMBERS = ("life_s", "runs", "closed", "kept", "right", "wrong")

SIZES = 16
"""Classes of sizes; each is 16 times the one before, the first ends at 16 bytes."""


def size_class(size_bytes: float) -> int:
    """Return the class of a size."""
    return min(SIZES - 1, max(0, int(size_bytes)).bit_length() // 4)


def averaged(before: float | None, newest: float | None) -> float | None:
    """Return the exponentially weighted moving average; what was not seen changes nothing."""
    if before is None or newest is None:
        return newest if before is None else before
    return before + NEWEST * (newest - before)


def merged(before: Any, lesson: Any, elapsed_s: float) -> dict[str, Any]:
    """Return a habit after one more run, as plain data; what is damaged in it is forgotten."""
    try:
        old = Habit.from_json(before)
    except (ValueError, TypeError):
        old = Habit()
    return (old.faded(elapsed_s) + Habit.from_json(lesson)).as_json()


def _pairs(value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping) or len(value) > SIZES:
        raise TypeError("lifetimes by size are an object")
    return list(value.items())


def _sketch_of(habit: Habit, name: str) -> Sketch:
    found = getattr(habit.curve if name in CURVE else habit, name)
    assert isinstance(found, Sketch)
    return found
