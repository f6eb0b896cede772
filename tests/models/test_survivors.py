"""Shares of survivors: how often the stated intervals cover the truth, in simulated draws."""

from __future__ import annotations

import numpy as np
import pytest

from memprobe.models.survivors import UNKNOWN, quantile, share_of

DRAWS = 1000


def covered(truth: float, bursts: int, mean: float, clumps: int, seed: int) -> int:
    """How many of 1000 samples have an interval that covers the true share.

    In each burst a Poisson number of clumps is caught, each of up to `clumps` survivors of one stack.
    """
    draw = np.random.default_rng(seed)
    count = 0
    for _ in range(DRAWS):
        own, every = np.zeros(bursts, np.int64), np.zeros(bursts, np.int64)
        for burst in range(bursts):
            sizes = draw.integers(1, clumps + 1, draw.poisson(mean / clumps))
            mine = draw.random(len(sizes)) < truth
            own[burst], every[burst] = sizes[mine].sum(), sizes.sum()
        share = share_of(own, every)
        assert 0 <= share.low <= share.best <= share.high <= 1 or share == UNKNOWN
        count += share.low <= truth <= share.high
    return count


@pytest.mark.parametrize("truth", [0.02, 0.2, 0.5, 0.8, 0.95])
@pytest.mark.parametrize(
    ("bursts", "mean", "clumps"), [(40, 0.3, 1), (40, 5.0, 1), (40, 5.0, 6), (12, 3.0, 3)]
)
def test_intervals_cover_the_truth(truth: float, bursts: int, mean: float, clumps: int) -> None:
    assert covered(truth, bursts, mean, clumps, seed=bursts + clumps) >= 930


def test_more_survivors_make_narrower_intervals() -> None:
    few = share_of(np.array([1, 0, 2]), np.array([2, 1, 3]))
    many = share_of(np.tile([1, 0, 2], 30), np.tile([2, 1, 3], 30))
    assert many.high - many.low < (few.high - few.low) / 3
    assert few.best == many.best == 0.5


def test_nothing_caught_says_nothing() -> None:
    assert share_of(np.zeros(5, np.int64), np.zeros(5, np.int64)) == UNKNOWN


def test_quantiles_are_students() -> None:
    assert quantile(0) == quantile(1) == pytest.approx(12.706, abs=1e-3)
    assert quantile(10) == pytest.approx(2.228, abs=0.005)
    assert quantile(30) == pytest.approx(2.042, abs=0.001)
    assert quantile(10_000) == pytest.approx(1.960, abs=1e-3)
