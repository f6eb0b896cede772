"""New pools are watched while they are growth, and left alone where they come and go."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from kernel_source.folded import Folded, folded
from memprobe.abi import GrowthHow
from memprobe.ledger.growth import GrowthSite
from memprobe.sources.kernel.pools import FIRST_PAUSE_NS, LIMIT_PER_S, LONGEST_PAUSE_NS, NS, PoolWatch
from memprobe.vocab import rows
from memprobe.vocab.rows import Rows
from pythons import own

POOL_BYTES = 16384


def grown(pools: int, resident_bytes: int = 0) -> Rows:
    """What a source tells of one window."""
    told = np.zeros(2, rows.GROWTH)
    told["how"] = GrowthHow.POOL, GrowthHow.RSS_ANONYMOUS
    told["events"] = pools, 1
    told["grown_bytes"] = pools * POOL_BYTES, resident_bytes
    return told


def wanted(pools_per_s: int, resident_per_s: int, seconds: int) -> list[bool]:
    """Whether pools are wanted after each second."""
    watch = PoolWatch(0)
    stood = []
    for second in range(1, seconds + 1):
        taken = pools_per_s if watch.is_wanted else 0
        watch.look(grown(taken, resident_per_s), second * NS)
        stood.append(watch.is_wanted)
    return stood


def test_few_pools_are_always_watched() -> None:
    assert all(wanted(LIMIT_PER_S, 0, 1000))


def test_many_pools_that_stay_are_growth() -> None:
    assert all(wanted(40 * LIMIT_PER_S, 40 * LIMIT_PER_S * POOL_BYTES, 1000))


def test_many_pools_that_go_again_are_left_alone_for_longer_each_time() -> None:
    stood = wanted(40 * LIMIT_PER_S, 0, 4000)
    assert not stood[0]
    pauses = np.diff(np.flatnonzero(stood))
    assert pauses[0] == 2 * FIRST_PAUSE_NS / NS + 1
    assert max(pauses) == LONGEST_PAUSE_NS / NS + 1
    assert sum(stood) < 12


def test_a_window_is_not_judged_before_it_is_over() -> None:
    watch = PoolWatch(0)
    assert not watch.look(grown(40 * LIMIT_PER_S), NS // 2)
    assert watch.look(grown(0), NS)


def pools_attached(run: Folded) -> int:
    return sum(one.point == "pool" for one in run.found.source.attached)


@pytest.mark.usefixtures("bpf")
def test_pools_of_a_running_program(targets: Path) -> None:
    with own().spawn(targets / "churning_pools.py") as target, folded(target) as run:
        source = run.found.source
        assert pools_attached(run) == 1
        run.until(lambda: pools_attached(run) == 0)
        assert any("New pools" in sentence for sentence in source.invisible)
        assert [one for one in source.attached if one.point == "arena"]
        check_growth_is_seen(run)


def check_growth_is_seen(run: Folded) -> None:
    """By resident memory, from the line that makes what stays."""
    run.ask("grow")
    run.until(lambda: (first := first_fault(run)) is not None and first.bytes > 8 << 20)
    first = first_fault(run)
    assert first is not None
    assert "work" in [frame.function for frame in first.site]


def first_fault(run: Folded) -> GrowthSite | None:
    """Where most resident memory has grown by now."""
    run.found.source.settle()
    run.poll()
    sites = run.ledger.growth.sites(run.found.stacks, 0, time.monotonic_ns())
    return next((one for one in sites if one.how == "fault"), None)
