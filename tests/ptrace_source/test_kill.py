"""Whoever is killed, stopped or hangs: the target is let go, and nothing of it is lost."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptrace_source.killing import family, killed_at_random, tracing
from ptrace_source.test_transparency import compiled, counted
from ptrace_source.tracing import WHOLE, await_, is_free, tracers
from pythons import Target, spawn_command

KILLS = 10
"""500 of them: tests/soak/soak_ptrace.py."""


@pytest.fixture(scope="module")
def counting(targets: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return compiled(targets / "counting_signals.c", tmp_path_factory.mktemp("counting"))


@pytest.fixture
def counter(counting: str) -> Iterator[Target]:
    with spawn_command([counting]) as target:
        yield target


def is_well(target: Target, sent: int) -> None:
    """It works, and has had every signal once."""
    _, rounds = counted(target)
    await_(lambda: counted(target)[1] > rounds)
    await_(lambda: counted(target)[0] >= sent)
    assert counted(target)[0] == sent


def test_kills_at_random(counter: Target) -> None:
    chance, sent = random.Random(5), 0
    for _ in range(KILLS):
        sent += killed_at_random(counter, chance)
        is_well(counter, sent)


def traced_by(target: Target, memprobe: int) -> list[int]:
    """Wait for a window; return memprobe, the watchdog and the tracer."""
    found: list[int] = []

    def is_traced() -> bool:
        found[:] = family(memprobe)
        return len(found) == 3 and str(found[2]) in tracers(target.pid)

    await_(is_traced)
    return found


@pytest.mark.parametrize("who", ["memprobe", "watchdog", "tracer"])
def test_whoever_is_stopped_lets_it_go(counter: Target, who: str) -> None:
    """Ctrl-Z, a debugger, a machine that is suspended: nobody has ended, and nobody gets on."""
    with tracing(counter.pid, WHOLE) as memprobe:
        members = dict(zip(("memprobe", "watchdog", "tracer"), traced_by(counter, memprobe), strict=True))
        os.kill(memprobe, signal.SIGSTOP)  # so that no other window follows
        os.kill(members[who], signal.SIGSTOP)
        if who == "watchdog":
            os.kill(members["watchdog"], signal.SIGKILL)
        await_(lambda: is_free(counter.pid))
        is_well(counter, 0)
