"""Estimates from a part of the heap: do their intervals cover the truth?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import pythons
from heap_looks.looking import looking
from memprobe.heap import sampling
from memprobe.heap.census import take_census
from memprobe.heap.sampling import LEAST_UNITS, take_sample
from memprobe.heap.strata import Stratum, estimate, interval

TARGETS = Path(__file__).resolve().parent.parent / "targets"
DRAWS = 1000
COVERED = 930
FRACTION = 1 / 64
SIZE_CLASSES = 32
"""Of each a few pools are read, however small the heap is."""


class Pools:
    """All pools of a heap, read once: draws are simulated on them."""

    def __init__(self, keys: NDArray[np.void], rows: NDArray[np.void], headers: NDArray[np.void]) -> None:
        self.headers = headers
        self.keys, self.rows = keys, rows

    def truth(self, column: str) -> dict[int, int]:
        sums = np.bincount(self.keys["type"], self.rows[column].astype(float))
        return {index: int(total) for index, total in enumerate(sums) if total}

    def draw(self, random: np.random.Generator, *columns: str) -> list[dict[int, tuple[float, float, float]]]:
        chosen, strata = sampling.choose_pools(self.headers, FRACTION, 1, random)
        number = np.full(len(self.headers), -1)
        number[chosen] = np.arange(len(chosen))
        mine = np.flatnonzero(number[self.keys["unit"]] >= 0)
        units, types = number[self.keys["unit"][mine]], self.keys["type"][mine]
        return [estimate(strata, units, types, self.rows[name][mine].astype(float)) for name in columns]


@pytest.fixture(scope="module")
def pools() -> Pools:
    """The pools of an aged heap with types that fill it, and types that live in a few pools."""
    with pythons.own().spawn(TARGETS / "heap_aged.py") as target, looking(target.pid) as heap:
        headers, _ = sampling.pool_headers(heap)
        keys, rows = sampling.read_units(heap, headers["address"], np.zeros((0, 4), "<u8"))
        return Pools(keys, rows, headers)


def test_intervals_cover_the_truth(pools: Pools) -> None:
    """In 930 of 1000 draws at least, for each type that is likely to be in a sample at all."""
    random = np.random.default_rng(4)
    columns = ("count", "getsizeof", "allocated")
    truth = [pools.truth(column) for column in columns]
    spread = np.bincount(pools.keys["type"])
    common = [index for index in truth[0] if spread[index] >= 4 / FRACTION]
    assert len(common) > 5
    hits = {(column, index): 0 for column in columns for index in common}
    for _ in range(DRAWS):
        for column, right, found in zip(columns, truth, pools.draw(random, *columns), strict=True):
            for index in common:
                _, low, high = found.get(index, (0.0, 0.0, 0.0))
                hits[column, index] += low <= right[index] <= high
    assert {key: count for key, count in hits.items() if count < COVERED} == {}


def test_rare_types_that_are_seen_are_covered(pools: Pools) -> None:
    """Who lives in a few pools is in few samples; where it is, the interval holds as well."""
    random = np.random.default_rng(5)
    truth = pools.truth("count")
    seen = covered = 0
    for _ in range(DRAWS // 10):
        for index, (_, low, high) in pools.draw(random, "count")[0].items():
            seen += 1
            covered += low <= truth[index] <= high
    assert covered > 0.93 * seen


@pytest.mark.few_interpreters
def test_a_sample_of_a_process(interpreter: pythons.Interpreter) -> None:
    with interpreter.spawn(TARGETS / "heap_aged.py") as target, looking(target.pid) as heap:
        truth = take_census(heap)
        by_address = truth.by_address()
        hits = looked = 0
        for seed in range(80):
            sample = take_sample(heap, FRACTION, seed)
            assert sample.pools_read < FRACTION * sample.pools + SIZE_CLASSES * LEAST_UNITS
            assert sample.pool_bytes.value == truth.counters["pool_bytes"]
            for row in sample.rows[:8]:
                looked += 1
                hits += row.count.low <= by_address[row.address].count <= row.count.high
        # 95 % of them should be. Were all rows of a sample right or wrong together, fewer than 80 % would be
        # so by chance twice in a million times.
        assert hits > 0.8 * looked


def test_everything_read_is_exact() -> None:
    stratum = Stratum(3, np.arange(3), np.array([10.0, 20.0, 30.0]), 60.0)
    found = estimate([stratum], np.array([0, 1, 2]), np.array([0, 0, 0]), np.array([5.0, 10.0, 15.0]))
    assert found == {0: (30.0, 30.0, 30.0)}


def test_an_interval_is_never_below_what_was_seen() -> None:
    value, low, high = interval(64.0, 64.0**2, 64.0, 1.0)
    assert value == 64.0
    assert 1.0 <= low < 64.0 < 3 * 64.0 < high
