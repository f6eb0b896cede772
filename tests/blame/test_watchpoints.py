"""What watches leave behind in the kernel's maps, and how often threads that begin later are hit."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import pythons
from blame.watching_containers import WatchingContainers, watching_containers
from memprobe import abi
from memprobe.blame.turns import TURN_NS
from memprobe.vocab.knobs import NOTHING, Knob
from programs import Target

pytestmark = pytest.mark.usefixtures("bpf")

HOLDER = "__main__.KEPT"


def test_a_thread_that_begins_under_a_watch_is_hit_once_for_every_change(targets: Path) -> None:
    with (
        pythons.own().spawn(targets / "filling_later.py") as target,
        watching_containers(target.pid, HOLDER, budget_pct=100.0) as found,
    ):
        found.watch(until=lambda: found.seen_s(HOLDER) > 0)  # a short one: it is known then, and stays armed
        target.ask("begin")
        entries = 0
        for _ in range(2):
            entries = int(target.ask("fill"))
            until_s = time.monotonic() + 1.2 * TURN_NS / 1e9
            found.watch(until=lambda end_s=until_s: time.monotonic() > end_s)  # type: ignore[misc]
        found.settle()
    assert int(found.watches(HOLDER)["hits"].sum()) == entries == 40


def test_context_switches_of_what_is_watched_are_counted(targets: Path) -> None:
    """A program that rests 50 times a second is given a processor as often."""
    with (
        pythons.own().spawn(targets / "filling_fast.py", "0.02") as target,
        watching_containers(target.pid, HOLDER, budget_pct=1e6) as found,
    ):
        found.watch(until=lambda: found.seen_s(HOLDER) > 0)
        before = found.kernel.source.costs()
        begin = rounds_of(target)
        found.watch(until=lambda: rounds_of(target) >= begin + 50)
        after = found.kernel.source.costs()
        found.blame.turn(Knob.BLAME, NOTHING)
        ended = found.kernel.source.costs()
        found.watch(until=lambda: rounds_of(target) >= begin + 80)
        assert (after.armed_watchpoints, ended.armed_watchpoints) == (1, 0)
        assert after.target_switches is not None
        assert after.target_switches - (before.target_switches or 0) >= 50
        assert found.kernel.source.costs().target_switches == ended.target_switches == after.target_switches


def rounds_of(target: Target) -> int:
    return int(target.ask("?").split()[0]) // 100


def test_nothing_stays_in_the_maps_of_what_was_shed(targets: Path) -> None:
    with (
        pythons.own().spawn(targets / "filling_fast.py", "0.02") as target,
        watching_containers(target.pid, HOLDER, budget_pct=1e6) as found,
    ):
        found.watch(until=lambda: found.seen_s(HOLDER) > 0 and sum(entries_of(found)) > 1)
        found.blame.turn(Knob.BLAME, NOTHING)
        assert entries_of(found) == (0, 0)


def entries_of(found: WatchingContainers) -> tuple[int, int]:
    """How many entries the maps `watches` and `changes` have."""
    made = found.kernel.source._programs.object("watch")
    sizes = (
        ("watches", abi.WATCH_KEY.itemsize, abi.WATCH.itemsize),
        ("changes", abi.CHANGE_KEY.itemsize, abi.CHANGE_TOTAL.itemsize),
    )
    first, second = (
        made.drain_map(name, bytearray(key * 99), bytearray(value * 99)) for name, key, value in sizes
    )
    return first, second
