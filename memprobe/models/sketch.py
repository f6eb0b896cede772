"""A quantile sketch: how numbers are spread, in little room and with a bounded relative error.

Numbers are counted in buckets whose bounds grow by a constant factor (DDSketch: Masson, Rim, Lee, VLDB 2019),
so any quantile is off by at most ACCURACY of itself. Sketches can be added up and made lighter. Above
MAX_BUCKETS the lowest ones are put together: the high quantiles, which matter here, keep the bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[np.float64]
Places: TypeAlias = npt.NDArray[np.int64]

ACCURACY = 0.02
MAX_BUCKETS = 512
"""From a millisecond to 20 days there are 536."""

SMALLEST = 1e-6
LARGEST = 1e18

_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = math.log(_GAMMA)


def buckets(values: Numbers) -> Places:
    """Return the bucket of each number; what is below SMALLEST counts as that, what is no number as well."""
    bounded = np.clip(np.nan_to_num(values, nan=0.0), SMALLEST, LARGEST)
    places: Places = np.ceil(np.log(bounded) / _LOG_GAMMA).astype(np.int64)
    return places


def middles(places: Places) -> Numbers:
    """Return the number that stands for each bucket: at most ACCURACY off from all that are in it."""
    values: Numbers = np.exp(places * _LOG_GAMMA) * (2 / (_GAMMA + 1))
    return values


class Sketch:
    """Weights by bucket."""

    __slots__ = ("_weights",)

    def __init__(self, weights: Mapping[int, float] | None = None) -> None:
        self._weights = dict(weights or {})
        self._collapse()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and self._weights == other._weights

    __hash__ = None  # type: ignore[assignment]

    @property
    def total(self) -> float:
        """How much has been counted."""
        return math.fsum(self._weights.values())

    def add(self, values: Numbers, weights: Numbers | None = None) -> None:
        """Count numbers, each once or with its weight."""
        found, place = np.unique(buckets(values), return_inverse=True)
        for bucket, weight in zip(found.tolist(), np.bincount(place, weights).tolist(), strict=True):
            self.count(bucket, weight)

    def count(self, bucket: int, weight: float) -> None:
        """Count what is known to be in this bucket."""
        self._weights[bucket] = self._weights.get(bucket, 0.0) + weight
        if len(self._weights) > MAX_BUCKETS:
            self._collapse()

    def quantile(self, share: float) -> float | None:
        """Return the number below which this share lies; None if nothing was counted."""
        places, weights = self.arrays()
        total = float(weights.sum())
        if total <= 0:
            return None
        at = int(np.searchsorted(np.cumsum(weights), share * total))
        return float(middles(places[min(at, len(places) - 1)]))

    def arrays(self) -> tuple[Places, Numbers]:
        """Return the buckets in order, and their weights."""
        order = sorted(self._weights)
        places = np.array(order, np.int64)
        return places, np.array([self._weights[place] for place in order], np.float64)

    def __add__(self, other: Sketch) -> Sketch:
        both = dict(self._weights)
        for bucket, weight in other._weights.items():
            both[bucket] = both.get(bucket, 0.0) + weight
        return Sketch(both)

    def scaled(self, factor: float, least: float = 1e-3) -> Sketch:
        """Return it lighter; buckets that weigh less than `least` then are left out."""
        lighter = {bucket: weight * factor for bucket, weight in self._weights.items()}
        return Sketch({bucket: weight for bucket, weight in lighter.items() if weight >= least})

    def as_json(self) -> dict[str, float]:
        """Return it as weights by the number that stands for each bucket: a person can read that."""
        places, weights = self.arrays()
        return {
            f"{middle:.5g}": round(weight, 6)
            for middle, weight in zip(middles(places).tolist(), weights.tolist(), strict=True)
        }

    @classmethod
    def from_json(cls, value: Any) -> Sketch:
        """Undo `as_json`; raise ValueError or TypeError for anything else."""
        if not isinstance(value, Mapping) or len(value) > MAX_BUCKETS:
            raise TypeError("a sketch is an object of weights")
        numbers = np.array([float(number) for number in value], float)
        if not (numbers >= 0).all():
            raise ValueError("a sketch counts numbers from 0 on")
        return cls(dict(zip(buckets(numbers).tolist(), map(weight_in, value.values()), strict=True)))

    def _collapse(self) -> None:
        if len(self._weights) <= MAX_BUCKETS:
            return
        order = sorted(self._weights)
        lowest = order[-MAX_BUCKETS]
        for bucket in order[:-MAX_BUCKETS]:
            self._weights[lowest] += self._weights.pop(bucket)


def weight_in(value: Any) -> float:
    """Return a number of a file as a weight; raise ValueError if it cannot be one."""
    if type(value) not in (int, float) or not 0 <= value < LARGEST:
        raise ValueError(f"{value!r} is no weight")
    return float(value)
