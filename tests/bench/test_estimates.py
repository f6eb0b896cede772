"""The statistics of paired blocks."""

from __future__ import annotations

import random

import pytest

from pairing.estimates import Estimate, Slice, block_cost, estimate, slowdowns


def test_a_drift_of_the_machine_cancels() -> None:
    without = [100.0, 102.0, 104.0, 106.0]
    with_tool = [101.0 * 1.05, 103.0 * 1.05, 105.0 * 1.05]
    assert slowdowns(without, with_tool) == pytest.approx([5.0, 5.0, 5.0])


def slice_of(cost: float, slow: float) -> Slice:
    """A half second on a CPU that is so much slower than at its best."""
    return Slice(operations=100, wall_s=0.5, cpu_s=100 * cost * slow, twin_s=slow)


def test_what_makes_both_slower_is_no_cost() -> None:
    assert block_cost([slice_of(1.0, 1e-3), slice_of(1.0, 2e-3), slice_of(1.0, 1.1e-3)]) == pytest.approx(1.0)


def test_a_block_is_the_median_of_its_slices() -> None:
    assert block_cost([slice_of(1.0, 1e-3), slice_of(9.0, 1e-3), slice_of(1.2, 1e-3)]) == pytest.approx(1.2)


def test_what_everybody_pays_moves_the_whole_interval() -> None:
    assert Estimate(1.0, 0.5, 1.5).plus(0.25) == Estimate(1.25, 0.75, 1.75)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    chance = random.Random(1)
    hits = 0
    for _ in range(60):
        found = estimate([chance.gauss(1.0, 2.0) for _ in range(12)])
        assert found is not None
        hits += found.low <= 1.0 <= found.high
    assert hits >= 50


def test_without_pairs_there_is_no_estimate() -> None:
    assert estimate([]) is None
