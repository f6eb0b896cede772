"""A series as it is watched: when it is read, and when it is first called a leak."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from memprobe.models.growth import Known, Series
from memprobe.models.growth.needs import FALLS, LASTED_S, PIECES
from simulating.healthy import DAY, HOUR, MINUTE, Times, about

NS = 1_000_000_000

SOON_S = 10 * MINUTE
"""Alarms within this time of the first look are told apart: it comes once, however long one watches."""

AWAKE = 0.1
"""From this probability on every reading is followed by the question."""

ASLEEP = 1.05
"""Below it the question is asked again when this much more was watched; in the first ten minutes always. What
began late must have lasted an eighth of the time before, so nothing comes and goes between."""


@dataclass(frozen=True)
class Way:
    """How one comes to a process."""

    name: str
    from_start: bool = False
    interval_s: float = 1.0
    """Between two readings, for the first ten minutes; then 10 s, and after two hours a minute."""

    def began_s(self, rng: Generator) -> float:
        """How long the process had been running at the first reading."""
        return rng.uniform(1, 10) if self.from_start else about(rng, 10 * MINUTE, 7 * DAY)

    def times(self, began_s: float) -> Times:
        """When it is read in its day."""
        parts = ((0, SOON_S, self.interval_s), (SOON_S, 2 * HOUR, 10.0), (2 * HOUR, DAY, MINUTE))
        return began_s + np.concatenate([np.arange(*part) for part in parts])


def first_alarm_s(
    times: Times, values: Times, age_s: float | None, among: int = 1, alarming: float = 0.5
) -> float:
    """When an alarming probability is first reached, since the first reading; inf if never."""
    asked = _may_be(times, values)
    if not asked.any():
        return float(np.inf)
    series, next_s = Series(Known(age_s=age_s)), 0.0
    end = len(asked) - int(asked[::-1].argmax())
    readings = zip((times - times[0]).tolist(), values.tolist(), asked.tolist(), strict=True)
    for now_s, value, ask in islice(readings, end):
        series.add(round(now_s * NS), value)
        if ask and (now_s <= SOON_S or now_s >= next_s):
            probability = series.growth(among=among).probability
            if probability >= alarming:
                return float(now_s)
            next_s = 0.0 if probability >= AWAKE else ASLEEP * now_s
    return float(np.inf)


def _may_be(times: Times, values: Times) -> NDArray[Any]:
    """Where it may be growth at all: not too soon, and above the first value by a pool and by three falls.

    tests/models/test_growth.py says that it is nowhere else; most healthy series are passed over by it.
    """
    falls = np.maximum.accumulate(np.maximum.accumulate(values) - values)
    risen: NDArray[Any] = values - values[0] >= np.maximum(PIECES, FALLS * falls)
    risen &= times - times[0] >= LASTED_S
    return risen
