"""The statistics of paired blocks."""

from __future__ import annotations

import random

import pytest

from pairing.estimates import Slice, block_rate, estimate, slowdowns


def test_a_drift_of_the_machine_cancels() -> None:
    without = [100.0, 98.0, 96.0, 94.0]
    with_tool = [99.0 / 1.05, 97.0 / 1.05, 95.0 / 1.05]
    assert slowdowns(without, with_tool) == pytest.approx([5.0, 5.0, 5.0])


def test_a_block_is_the_median_of_its_slices() -> None:
    slices = [Slice(100, 0.5, 0.4), Slice(10, 0.5, 0.4), Slice(110, 0.5, 0.44)]
    assert block_rate(slices, per_cpu=False) == 200
    assert block_rate(slices, per_cpu=True) == 250


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
