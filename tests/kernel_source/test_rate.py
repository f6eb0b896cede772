"""Many events: nothing is lost uncounted. What they cost is measured by bench/rate.py."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from kernel_source.following import Following, following
from memprobe.sources.kernel import KernelOptions, Settings
from patience import PATIENCE_S, until
from pythons import own, spawn_command

pytestmark = pytest.mark.usefixtures("bpf")


@pytest.fixture(scope="module")
def storm(targets: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    made = tmp_path_factory.mktemp("storm") / "storm"
    subprocess.run(["cc", "-O2", "-pthread", "-o", made, targets / "storm.c"], check=True)
    return str(made)


def test_two_hundred_thousand_events_a_second(storm: str) -> None:
    options = KernelOptions(settings=Settings(stacks=False))
    with spawn_command([storm, "200000", "5"]) as target, following(target.pid, options) as found:
        target.send("go")
        begin_s = time.monotonic()
        while time.monotonic() - begin_s < 5.5:
            found.source.wait(0.1)
            found.poll()
        sent = int(target.expect(""))
        found.poll()
        births, deaths = len(found.table("births")), len(found.table("deaths"))
        lost = found.losses.get("birth_ring_full", 0) + found.losses.get("death_ring_full", 0)
        # stdio of the target itself makes a few more
        assert 0 <= births + deaths + lost - sent < 10
        assert births == deaths or lost


def is_calm(found: Following) -> bool:
    """Whether nothing new happens for a while."""
    found.poll()
    return not found.source.wait(0.1)


def test_waiting_ends_when_a_stack_is_new(targets: Path) -> None:
    with own().spawn(targets / "family.py") as target, following(target.pid) as found:
        until(lambda: is_calm(found))  # the target has come to where it waits
        target.ask("open 1")
        assert found.source.wait(PATIENCE_S)
        until(lambda: is_calm(found))
        births = len(found.table("births"))
        target.ask("open 1")
        assert not found.source.wait(0.05), "the same stack again can wait"
        assert len(found.table("births")) == births == 1
        found.poll()
        assert len(found.table("births")) == 2


def test_a_flood_of_new_stacks_is_taken_in_portions(targets: Path) -> None:
    options = KernelOptions(settings=Settings(stack_burst_ns=0))
    with own().spawn(targets / "births.py") as target, following(target.pid, options) as found:
        target.send("go")
        began, polls = time.monotonic(), 0
        while time.monotonic() - began < 1.0:
            found.source.wait(0.25)
            found.poll()
            polls += 1
        assert polls <= 55
