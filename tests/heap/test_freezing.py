"""A frozen target stands, and goes on whatever happens to whoever froze it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import pythons
from cli.unprivileged import needs_root
from memprobe.errors import NotPermitted, TargetExited
from memprobe.heap.freezing import frozen
from memprobe.target.proc.process import open_process
from soak._busy import busy_target, gaps, traces

KILLS = 200
FAMILY = (("reader", "memprobe", 0), ("holder", "reader", 0), ("watchdog", "reader", 1))
"""Role, role of the parent, place among its children by age."""

DRIVER = Path(__file__).parent / "freezing_driver.py"


@pytest.fixture
def target(targets: Path) -> Iterator[pythons.Target]:
    with pythons.own().spawn(targets / "breeding.py") as target:
        yield target


def states(pid: int) -> dict[int, str]:
    """The state of every thread; threads that end meanwhile are left out."""
    found = {}
    for tid in map(int, os.listdir(f"/proc/{pid}/task")):
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{pid}/task/{tid}/stat").read_text()
            found[tid] = stat.rpartition(")")[2].split()[0]
    return found


def tracers(pid: int) -> set[str]:
    found = set()
    for tid in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/task/{tid}/status").read_text()
            found.add(text.partition("TracerPid:\t")[2].partition("\n")[0])
    return found


def is_free(pid: int) -> bool:
    return tracers(pid) == {"0"} and not {"t", "T"} & set(states(pid).values())


def test_every_thread_stands_and_goes_on(target: pythons.Target) -> None:
    for _ in range(20):
        with open_process(target.pid) as process, frozen(process) as freeze:
            assert set(states(target.pid).values()) == {"t"}
            assert tracers(target.pid) == {str(freeze.holder)}
            assert freeze.threads == len(states(target.pid))
        assert is_free(target.pid)
        assert 0 < (freeze.held_s or 0) < 1
        assert not freeze.outlasted
    assert int(target.ask("alive?")) > 0


def test_no_signal_is_lost_or_made_up(target: pythons.Target) -> None:
    """While it stands its timer goes on; what was due comes after, once."""
    before, begin = int(target.ask("")), time.monotonic()
    for _ in range(30):
        with open_process(target.pid) as process, frozen(process):
            pass
    took_s = time.monotonic() - begin
    alarms = int(target.ask("")) - before
    assert 0 < alarms <= took_s / 0.005 + 2


def test_the_memory_does_not_change(interpreter: pythons.Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "churning.py") as target, open_process(target.pid) as process:
        with frozen(process):
            scheduled = [Path(f"/proc/{target.pid}/task/{tid}/schedstat") for tid in states(target.pid)]
            before = [path.read_text().split()[0] for path in scheduled]
            time.sleep(0.05)
            assert [path.read_text().split()[0] for path in scheduled] == before
        assert is_free(target.pid)


def test_the_time_is_bounded() -> None:
    """The reader forgets it: the target's own clock shows how long it stood."""
    with busy_target(pythons.own()) as target, open_process(target.pid) as process:

        def forget() -> None:
            with frozen(process, 0.3) as freeze:
                time.sleep(1.2)
            assert freeze.outlasted
            assert 0 < (freeze.held_s or 0) < 0.6

        assert 250 < gaps(target, forget).longest_ms < 900


def test_the_watchdog_ends_a_holder_that_hangs(target: pythons.Target) -> None:
    with open_process(target.pid) as process, frozen(process, 0.3) as freeze:
        os.kill(freeze.holder, signal.SIGSTOP)
        deadline = time.monotonic() + 5
        while not is_free(target.pid):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert freeze.outlasted


def test_the_holder_needs_no_watchdog(target: pythons.Target) -> None:
    with open_process(target.pid) as process, frozen(process, 0.3) as freeze:
        os.kill(freeze.watchdog, signal.SIGKILL)
        time.sleep(0.6)
        assert is_free(target.pid)
    assert freeze.outlasted


def test_a_target_that_was_stopped_before_stays_so(target: pythons.Target) -> None:
    os.kill(target.pid, signal.SIGSTOP)
    with open_process(target.pid) as process, frozen(process):
        pass
    # On its way from the tracer's stop to its own a thread runs for an instant, in the kernel.
    deadline = time.monotonic() + 5
    while set(states(target.pid).values()) != {"T"}:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.2)
    assert set(states(target.pid).values()) == {"T"}
    os.kill(target.pid, signal.SIGCONT)
    assert int(target.ask("alive?")) > 0


def test_a_target_that_dies_while_it_stands(target: pythons.Target) -> None:
    with open_process(target.pid) as process, frozen(process):
        os.kill(target.pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while not process.has_ended():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(TargetExited):
            process.check()


def test_nothing_is_left_behind(target: pythons.Target) -> None:
    before = traces(target)
    with open_process(target.pid) as process, frozen(process):
        pass
    after = traces(target)
    assert (after.tracer, after.own_files, after.own_children) == ("0", before.own_files, before.own_children)


def test_a_target_that_somebody_traces_is_named(target: pythons.Target) -> None:
    with (
        open_process(target.pid) as process,
        frozen(process) as other,
        pytest.raises(NotPermitted) as caught,
        frozen(process),
    ):
        pass
    assert f"process {other.holder} traces it already" in caught.value.fact


@needs_root
def test_without_the_right_it_says_which(target: pythons.Target) -> None:
    code = (
        "import os, sys\nfrom memprobe.heap.freezing import frozen\n"
        "from memprobe.target.proc.process import open_process\n"
        "process = open_process(int(sys.argv[1]))\n"
        "os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)\n"
        "with frozen(process): pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(target.pid)], capture_output=True, text=True)
    assert "NotPermitted: not permitted to stop process" in done.stderr
    assert is_free(target.pid)


def test_it_goes_on_whoever_is_killed_and_when(target: pythons.Target) -> None:
    """200 kills with SIGKILL, of memprobe, reader, holder or watchdog, at moments over the whole run."""
    chance, killed, worst_s = random.Random(4), Counter[str](), 0.0
    with pythons.spawn_command([sys.executable, str(DRIVER)], environment=environment()) as driver:
        for number in range(KILLS):
            hold_s = chance.choice((0.0, 0.01, 0.03))
            memprobe = int(driver.ask(f"{target.pid} 5 {hold_s}"))
            time.sleep(chance.uniform(0, 0.012 + hold_s))
            role = ("memprobe", "reader", "holder", "watchdog")[number % 4]
            killed[f"{role}, {kill(role, memprobe)}"] += 1
            begin = time.monotonic()
            while is_running(memprobe) or not is_free(target.pid):
                assert time.monotonic() - begin < 3, (number, role, states(target.pid), tracers(target.pid))
                time.sleep(0.001)
            worst_s = max(worst_s, time.monotonic() - begin)
            if number % 10 == 0:
                assert int(target.ask("alive?")) > 0
    print(dict(killed), f"free after {worst_s * 1e3:.1f} ms at most")
    assert all(killed[f"{role}, there"] > 10 for role in ("memprobe", "reader", "holder", "watchdog"))


def environment() -> dict[str, str]:
    return {"PYTHONPATH": str(pythons.ROOT)}


def kill(role: str, memprobe: int) -> str:
    """Kill one of the four, or memprobe where the one that is meant is not born or gone."""
    victim = family(memprobe).get(role)
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim or memprobe, signal.SIGKILL)
    return "there" if victim else "not there"


def family(memprobe: int) -> dict[str, int]:
    found = {"memprobe": memprobe}
    for role, parent, place in (
        ("reader", "memprobe", 0),
        ("holder", "reader", 0),
        ("watchdog", "reader", 1),
    ):
        children = children_of(found.get(parent, 0))
        if len(children) > place:
            found[role] = children[place]
    return found


def children_of(pid: int) -> list[int]:
    try:
        return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return []


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
