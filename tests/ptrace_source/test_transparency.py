"""What a target notices: no call that is broken off, no signal that is lost, job control as ever."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from patience import PATIENCE_S, until
from ptrace_source.counting import compiled, counted
from ptrace_source.tracing import MANY, SHORT, WHOLE, is_free, states, traced, tracers
from pythons import Target, spawn_command

WINDOWS = 20
CALLS = 20
SIGNALS = 500


def ways(target: Target) -> dict[str, tuple[int, int, int]]:
    """Of each way of waiting: how often, broken off, back too early."""
    fields = (one.partition("=") for one in target.ask("").split(";") if one)
    return {name: tuple(map(int, numbers.split(",")))[:3] for name, _, numbers in fields}  # type: ignore[misc]


def test_no_call_is_broken_off(targets: Path, tmp_path: Path) -> None:
    program = compiled(targets / "waiting_calls.c", tmp_path)
    with spawn_command([program]) as target, traced(target.pid, SHORT) as run:
        run.until(lambda: run.source.windows >= WINDOWS)
        run.until(lambda: min(calls for calls, *_ in ways(target).values()) >= CALLS)
        found = ways(target)
        assert len(found) == 11
        assert {name: counts[1:] for name, counts in found.items()} == dict.fromkeys(found, (0, 0))
        assert run.source.counts.calls > 0


def test_no_signal_is_lost_or_made_up(counter: Target) -> None:
    with traced(counter.pid, SHORT) as run:
        sent = 0
        while sent < SIGNALS or run.source.windows < WINDOWS:
            os.kill(counter.pid, signal.SIGRTMIN)
            sent += 1
            if sent % 10 == 0:
                run.poll()
        run.until(lambda: counted(counter)[0] >= sent)
        assert counted(counter)[0] == sent


def test_stopping_it_ends_the_window_and_it_stands_as_ever(counter: Target) -> None:
    with traced(counter.pid, WHOLE) as run:
        run.until(lambda: len(run.table("births")) > 0)
        os.kill(counter.pid, signal.SIGSTOP)
        until(lambda: states(counter.pid) == {"T"} and tracers(counter.pid) == {"0"})
        run.until(lambda: run.source.windows == 1)
        for _ in range(20):
            run.poll()
        assert states(counter.pid) == {"T"}
        assert run.source.windows == 1, "there is nothing to see"
        os.kill(counter.pid, signal.SIGCONT)
        _, rounds = counted(counter)
        until(lambda: counted(counter)[1] > rounds)


def test_a_target_that_was_stopped_before_stays_so(counter: Target) -> None:
    os.kill(counter.pid, signal.SIGSTOP)
    until(lambda: states(counter.pid) == {"T"})
    with traced(counter.pid, MANY) as run:
        until(lambda: states(counter.pid) == {"T"} and tracers(counter.pid) == {"0"})
        os.kill(counter.pid, signal.SIGCONT)
        run.until(lambda: len(run.table("births")) > 0)
    assert is_free(counter.pid)


def test_its_end_is_what_it_was(counter: Target) -> None:
    with traced(counter.pid, WHOLE) as run:
        run.until(lambda: len(run.table("births")) > 0)
        os.kill(counter.pid, signal.SIGKILL)
        assert counter.process.wait(PATIENCE_S) == -signal.SIGKILL
        run.until(lambda: run.source.poll() is None)
