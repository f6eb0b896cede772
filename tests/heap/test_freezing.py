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
from memprobe.errors import NotPermitted, TargetBlocksReading, TargetExited
from memprobe.heap.freezing import frozen
from memprobe.target.proc.process import open_process
from patience import PATIENCE_S, TRIES, until
from soak._busy import busy_target, gaps, traces

KILLS, MOST_KILLS = 200, 2000
ROLES = ("memprobe", "reader", "holder", "watchdog")
LIMIT_S = 2.0
"""Long enough to do something to who holds the target before it ends."""

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
        with open_process(target.pid) as process, frozen(process, PATIENCE_S) as freeze:
            assert set(states(target.pid).values()) == {"t"}
            assert tracers(target.pid) == {str(freeze.holder)}
            assert freeze.threads == len(states(target.pid))
        assert is_free(target.pid)
        assert (freeze.held_s or 0) > 0
        assert not freeze.outlasted
    assert int(target.ask("alive?")) > 0


def test_no_signal_is_lost_or_made_up(target: pythons.Target) -> None:
    """While it stands its timer goes on; what was due comes after, once."""
    begin = time.monotonic()
    before = int(target.ask(""))
    for _ in range(30):
        with open_process(target.pid) as process, frozen(process):
            pass
    alarms = int(target.ask("")) - before
    took_s = time.monotonic() - begin
    assert 0 < alarms <= took_s / 0.005 + 2


def test_the_memory_does_not_change(interpreter: pythons.Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "churning.py") as target, open_process(target.pid) as process:
        with frozen(process, PATIENCE_S):
            scheduled = [Path(f"/proc/{target.pid}/task/{tid}/schedstat") for tid in states(target.pid)]
            time.sleep(0.01)  # a thread is said to stand an instant before it leaves its CPU
            before = [path.read_text().split()[0] for path in scheduled]
            time.sleep(0.05)
            assert [path.read_text().split()[0] for path in scheduled] == before
        assert is_free(target.pid)


def test_the_time_is_bounded() -> None:
    """The reader forgets it: the target's clock shows how long it stood, if nobody else wanted the CPU."""
    with busy_target(pythons.own()) as target, open_process(target.pid) as process:

        def forget() -> None:
            with frozen(process, 0.3) as freeze:
                until(lambda: is_free(target.pid))
            assert freeze.outlasted
            assert (freeze.held_s or 0) > 0

        def stood_ms() -> float:
            try:
                return gaps(target, forget).longest_ms
            except TargetBlocksReading:  # it was not stopped before the time was over
                return 0.0

        assert any(250 < stood_ms() < 900 for _ in range(TRIES))


def test_the_watchdog_ends_a_holder_that_hangs(target: pythons.Target) -> None:
    with open_process(target.pid) as process, frozen(process, LIMIT_S) as freeze:
        os.kill(freeze.holder, signal.SIGSTOP)
        until(lambda: is_free(target.pid))
    assert freeze.outlasted


def test_the_holder_needs_no_watchdog(target: pythons.Target) -> None:
    with open_process(target.pid) as process, frozen(process, LIMIT_S) as freeze:
        os.kill(freeze.watchdog, signal.SIGKILL)
        until(lambda: is_free(target.pid))
    assert freeze.outlasted


def test_a_target_that_was_stopped_before_stays_so(target: pythons.Target) -> None:
    os.kill(target.pid, signal.SIGSTOP)
    with open_process(target.pid) as process, frozen(process):
        pass
    # On its way from the tracer's stop to its own a thread runs for an instant, in the kernel.
    until(lambda: set(states(target.pid).values()) == {"T"})
    time.sleep(0.2)
    assert set(states(target.pid).values()) == {"T"}
    os.kill(target.pid, signal.SIGCONT)
    assert int(target.ask("alive?")) > 0


def test_a_target_that_dies_while_it_stands(target: pythons.Target) -> None:
    with open_process(target.pid) as process, frozen(process, PATIENCE_S):
        os.kill(target.pid, signal.SIGKILL)
        until(process.has_ended)
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
        frozen(process, PATIENCE_S) as other,
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
    """200 kills with SIGKILL, of memprobe, reader, holder or watchdog, at moments over the whole run.

    More, if others of them were seldom there: how long a run lasts depends on who else wants the CPU.
    """
    chance, killed, life_s = random.Random(4), Counter[str](), 0.0
    with pythons.spawn_command([sys.executable, str(DRIVER)], environment=environment()) as driver:
        for number in range(MOST_KILLS):
            if number % 20 == 0:
                life_s = undisturbed_s(driver, target)
            hold_s = chance.choice((0.0, 0.01, 0.03))
            memprobe = int(driver.ask(f"{target.pid} {2 * PATIENCE_S} {hold_s}"))
            time.sleep(chance.uniform(0, life_s + hold_s))
            role = ROLES[number % 4]
            killed[f"{role}, {kill(role, memprobe)}"] += 1
            until(lambda memprobe=memprobe: is_over(memprobe, target), pause_s=0.001)  # type: ignore[misc]
            if number % 10 == 0:
                assert int(target.ask("alive?")) > 0
            if number >= KILLS and all(killed[f"{role}, there"] > 10 for role in ROLES):
                break
    print(dict(killed))
    assert all(killed[f"{role}, there"] > 10 for role in ROLES)


def undisturbed_s(driver: pythons.Target, target: pythons.Target) -> float:
    """How long a run takes just now that nobody kills."""
    begin_s = time.monotonic()
    memprobe = int(driver.ask(f"{target.pid} {2 * PATIENCE_S} 0"))
    until(lambda: is_over(memprobe, target), pause_s=0.001)
    return time.monotonic() - begin_s


def is_over(memprobe: int, target: pythons.Target) -> bool:
    """Whether a run has ended and the target goes on."""
    return not is_running(memprobe) and is_free(target.pid)


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
