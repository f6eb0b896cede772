"""Who fills a container, seen by a tracer: the right lines, and a target that is none the worse for it."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import struct
from contextlib import ExitStack
from pathlib import Path

import pytest

from blame.watching_containers import by_function
from memprobe.blame import mutations
from memprobe.blame.bursting import IN_BURSTS
from memprobe.errors import NoKernelSupport
from memprobe.native.trace import Prices
from memprobe.sources.ptrace.bursts import HITS
from memprobe.sources.ptrace.pauses import Pauses
from memprobe.vocab.knobs import NOTHING, Knob
from patience import until
from ptrace_source.bursting import CALM, a_burst, bursting, killed_in_a_burst, one_burst, size_address
from ptrace_source.tracing import MANY, is_free, traced
from pythons import Interpreter, Target, own

CONTAINERS = ("x_dict", "x_list", "x_set", "x_deque", "x_ordered", "x_cached")

ROUND = 3 * 2 + 2 * 3
"""What a burst may be off by, see below: it begins somewhere in a round, and ends somewhere."""

KILLS = 6

LIBC = ctypes.CDLL(None, use_errno=True)
PERF_EVENT_OPEN = 298
BREAKPOINT = struct.pack("=IIQQQQQIIQQ", 5, 72, 0, 1, 0, 0, 0b1100001, 0, 2, 0x1000, 8)
"""struct perf_event_attr: PERF_TYPE_BREAKPOINT, on writes to 8 bytes, disabled, of user space only."""

REGISTERS = 4


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutations, "SHORTEST_PAUSE_NS", 0)


@pytest.mark.few_interpreters
def test_the_line_that_fills_most_is_first(interpreter: Interpreter, targets: Path) -> None:
    """Three entries a round by one line, two by another: what a burst sees has no gap."""
    with (
        interpreter.spawn(targets / "filling_by_turns.py", "0") as target,
        bursting(target.pid, "__main__.x_*") as found,
    ):
        while any(sum(hits >= HITS // 4 for hits in found.hits(name)) < 3 for name in CONTAINERS):
            batch = found.poll()
            assert batch.invisible == (IN_BURSTS,)
            assert sum(int(row["hits"]) for row in batch.watches) <= HITS + 1
        for name in CONTAINERS:
            flows = by_function(found.filled(name))
            hits = {function: flow.hits for function, flow in flows.items()}
            assert hits["often"] > hits["seldom"] > 0, name
            assert set(hits) <= {"often", "seldom", "taking"}, name
            assert abs(2 * hits["often"] - 3 * hits["seldom"]) <= ROUND * len(found.hits(name)), name
            if name != "x_list":  # which is emptied at 100
                assert next(iter(flows)) == "often", name


@pytest.mark.few_interpreters
def test_threads_that_are_born_in_a_burst_stop_too(interpreter: Interpreter, targets: Path) -> None:
    with (
        interpreter.spawn(targets / "filling.py", "0") as target,
        bursting(target.pid, "__main__.x_dict") as found,
    ):
        wanted = {"by_function", "by_thread", "by_new_thread", "churn"}
        found.poll()
        while not wanted <= by_function(found.filled("x_dict")).keys():
            found.poll()


def test_between_windows_it_is_for_the_burst_alone(targets: Path) -> None:
    with own().spawn(targets / "filling_by_turns.py") as target:
        address = size_address(target.pid, "__main__.x_dict")
        with traced(target.pid, MANY) as run:
            run.source.turn(Knob.SYSCALL_PROBES, NOTHING)
            run.until(lambda: run.source.windows == 1)
            calls = run.source.counts.calls
            window = a_burst(run, address, 10)
            assert window.seen[0] is not None
            assert 1 <= window.seen[0].hits <= 10
            assert window.cost_ns > 0
            assert is_free(target.pid), "nobody is left behind"
            if os.geteuid() == 0:
                assert run.source.counts.calls == calls, "calls are nobody's business then"
            assert run.source.windows == 1


def test_what_a_stop_costs_is_measured(targets: Path) -> None:
    with own().spawn(targets / "filling_by_turns.py") as target:
        address = size_address(target.pid, "__main__.x_dict")
        with traced(target.pid, CALM) as run:
            a_burst(run, address, 10)
            prices = Prices(*run.source._windows.tracer.prices)
            assert prices.errno == 0
            assert prices.stop_ns >= 500
            assert prices.hit_ns >= 500
            assert run.source.counts.watched_ns >= prices.hit_ns


def ask(target: Target) -> int:
    """What it counts: rounds that it has filled, or signals."""
    return int(target.ask(""))


def goes_on(target: Target) -> None:
    """It fills its containers, and so writes to the words that were watched."""
    rounds = ask(target)
    until(lambda: ask(target) > rounds + 10)


def is_disarmed(pid: int) -> bool:
    """Whether all debug registers of all its threads can be had."""
    with ExitStack() as opened:
        for tid in os.listdir(f"/proc/{pid}/task"):
            for _ in range(REGISTERS):
                file = LIBC.syscall(PERF_EVENT_OPEN, BREAKPOINT, int(tid), -1, -1, 0)
                if file < 0:
                    return False
                opened.callback(os.close, file)
    return True


def test_whoever_is_killed_it_goes_on_and_nothing_is_armed(targets: Path) -> None:
    """In the middle of bursts: a hit without a tracer must not end it."""
    chance = random.Random(9)
    with own().spawn(targets / "filling_by_turns.py", "0") as target:
        address = size_address(target.pid, "__main__.x_dict")
        for _ in range(KILLS):
            killed_in_a_burst(target.pid, address, chance)
            until(lambda: is_disarmed(target.pid))
            goes_on(target)
            assert target.process.poll() is None


@pytest.mark.parametrize("caught", [["SIGURG"], ["SIGWINCH"]])
def test_no_handler_of_its_own_runs(caught: list[str], targets: Path) -> None:
    with own().spawn(targets / "filling_with_handlers.py", "catch", *caught) as target:
        address = size_address(target.pid, "__main__.KEPT")
        with traced(target.pid, CALM) as run:
            for _ in range(5):
                a_burst(run, address, HITS)
        assert ask(target) == 0
        os.kill(target.pid, getattr(signal, caught[0]))
        until(lambda: ask(target) == 1)


def test_with_handlers_for_all_that_could_be_used_there_are_none(targets: Path) -> None:
    with own().spawn(targets / "filling_with_handlers.py", "catch", "SIGURG", "SIGWINCH") as target:
        address = size_address(target.pid, "__main__.KEPT")
        with (
            traced(target.pid, CALM) as run,
            pytest.raises(NoKernelSupport, match="handlers for both signals"),
        ):
            a_burst(run, address, HITS)
        assert ask(target) == 0


def test_a_thread_that_blocks_the_signal_is_nobodys_work(targets: Path) -> None:
    """It does not stop, and what it does is told of no other thread."""
    with own().spawn(targets / "filling_with_handlers.py", "block", "SIGURG", "SIGWINCH") as target:
        address = size_address(target.pid, "__main__.KEPT")
        with traced(target.pid, CALM) as run:
            window = one_burst(run, address, HITS)
            assert window is not None
            assert window.seen[0] is None or window.seen[0].hits == 0
        until(lambda: ask(target) == 0)


def test_a_burst_is_saved_up_for_like_a_window() -> None:
    pauses, second = Pauses(1.0, 20_000_000), 1_000_000_000
    pauses.over(0)
    due_ns = int(20_000_000 / pauses.share)
    assert pauses.is_due(due_ns)
    pauses.charge(second, 10_000_000)
    assert not pauses.is_due(due_ns)
    assert pauses.is_due(due_ns + int(10_000_000 / pauses.share))
