"""Containers of a process whose debug registers cannot be had: who fills them, under every interpreter."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from blame.watching_containers import WatchingContainers, by_function, watching_containers
from memprobe.blame import mutations
from memprobe.errors import NoKernelSupport
from memprobe.native.bpf import BpfError
from memprobe.sources.kernel.programs import Programs
from memprobe.sources.kernel.traps import Traps
from pythons import Interpreter

pytestmark = pytest.mark.usefixtures("bpf")

CONTAINERS = ("x_dict", "x_list", "x_set", "x_deque", "x_ordered", "x_cached")
ENOUGH = dict.fromkeys(CONTAINERS, 300) | {"x_list": 100}
"""Hits of each."""

LOUD = 1_000_000.0
"""A budget that no target exhausts: what is right is asked here, not what it costs."""


@pytest.fixture
def no_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a virtual machine that has none to give."""

    def refuse(*_: object) -> NoReturn:
        raise BpfError(errno.ENODEV, "No such device")

    monkeypatch.setattr(Programs, "attach_watchpoint", refuse)
    monkeypatch.setattr(mutations, "SHORTEST_PAUSE_NS", 0)


@pytest.mark.usefixtures("no_registers")
def test_the_line_that_fills_most_is_first(interpreter: Interpreter, targets: Path) -> None:
    with (
        interpreter.spawn(targets / "filling_by_turns.py") as target,
        watching_containers(target.pid, "__main__.x_*", budget_pct=LOUD) as found,
    ):
        found.watch(until=lambda: all(found.hits(name) >= ENOUGH[name] for name in CONTAINERS))
        found.settle()
        maps = Path(f"/proc/{target.pid}/maps").read_text()
    for name in CONTAINERS:
        check(found, name, is_sampled=name == "x_list" and interpreter.version >= (3, 11))
    assert "[uprobes]" not in maps, "all of them are emulated"
    assert "No such device" in found.batches[-1].invisible[0]


def test_without_room_for_a_process_there_is_no_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> NoReturn:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", refuse)
    loaded: Any = SimpleNamespace(attaches_many=True)
    nobody: Any = None
    before = os.listdir("/proc/self/fd")
    with pytest.raises(NoKernelSupport, match="cannot start the process that sets uprobes"):
        Traps(loaded, nobody, "mutators", "container_mutates").during([], dict)
    assert os.listdir("/proc/self/fd") == before


def check(found: WatchingContainers, name: str, *, is_sampled: bool) -> None:
    """From 3.11 on one append to a list stands for many, whose lines may differ."""
    flows = by_function(found.filled(name))
    put = sum(flow.added_per_s for flow in flows.values())
    assert next(iter(flows)) == "often", name
    assert flows["seldom"].added_per_s > 0, name
    if is_sampled:
        return
    # A burst may begin and end in the middle of a round.
    assert flows["often"].added_per_s / put == pytest.approx(0.6, abs=0.1), name
    assert flows["seldom"].added_per_s / put == pytest.approx(0.4, abs=0.1), name
    if name not in ("x_list", "x_cached"):
        assert flows["taking"].removed_per_s / put == pytest.approx(0.2, abs=0.1), name
