"""The quantile sketch against sorted lists: within its accuracy, whatever is added up in whatever order."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memprobe.models.sketch import ACCURACY, LARGEST, MAX_BUCKETS, SMALLEST, Sketch

LIFETIMES = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=200)
SHARES = st.floats(0.0, 1.0)


def sketch_of(values: list[float]) -> Sketch:
    sketch = Sketch()
    sketch.add(np.array(values, float))
    return sketch


@given(LIFETIMES, SHARES)
def test_a_quantile_is_off_by_its_accuracy_at_most(values: list[float], share: float) -> None:
    found = sketch_of(values).quantile(share)
    exact = sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
    neighbours = sorted(values)[min(len(values) - 1, math.floor(share * len(values)))]
    assert found is not None
    assert exact * (1 - ACCURACY * 1.001) <= found <= neighbours * (1 + ACCURACY * 1.001)


@given(LIFETIMES, LIFETIMES)
def test_sketches_of_parts_add_up_to_that_of_the_whole(one: list[float], other: list[float]) -> None:
    assert sketch_of(one) + sketch_of(other) == sketch_of(one + other)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=100))
def test_any_number_is_counted_somewhere_between_the_bounds(values: list[float]) -> None:
    sketch = sketch_of(values)
    assert sketch.total == len(values)
    assert Sketch.from_json(json.loads(json.dumps(sketch.as_json()))) == sketch
    highest = sketch.quantile(1.0)
    assert highest is None or SMALLEST * 0.9 <= highest <= LARGEST * 1.1


@given(LIFETIMES)
def test_it_comes_back_from_json(values: list[float]) -> None:
    sketch = sketch_of(values)
    assert Sketch.from_json(json.loads(json.dumps(sketch.as_json()))) == sketch


def test_it_stays_small_and_keeps_the_high_quantiles() -> None:
    values = list(np.geomspace(1e-6, 1e17, 5000))
    sketch = sketch_of(values)
    assert len(sketch.as_json()) == MAX_BUCKETS
    for share in (0.9, 0.99, 1.0):
        exact = values[math.ceil(share * 5000) - 1]
        assert sketch.quantile(share) == pytest.approx(exact, rel=ACCURACY * 1.01)
    assert sketch.total == 5000


def test_what_is_lighter_than_nothing_is_forgotten() -> None:
    sketch = sketch_of([1.0] * 4 + [100.0])
    assert sketch.scaled(0.5).total == 2.5
    assert sketch.scaled(0.5, least=1.0).quantile(1.0) == pytest.approx(1.0, rel=1.01 * ACCURACY)


@pytest.mark.parametrize(
    "damaged", [None, [], {"a": 1}, {"1": -1}, {"1": "x"}, {"nan": 1}, {"-1": 1}, {"1": None}]
)
def test_what_is_no_sketch_is_refused(damaged: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        Sketch.from_json(damaged)
