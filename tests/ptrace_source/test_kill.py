"""Whoever is killed, stopped or hangs: the target is let go, and nothing of it is lost."""

from __future__ import annotations

import os
import random
import signal

import pytest

from patience import until
from ptrace_source.counting import is_well
from ptrace_source.killing import family, killed_at_random, tracing
from ptrace_source.tracing import WHOLE, is_free, tracers
from pythons import Target

KILLS = 10
"""500 of them: tests/soak/soak_ptrace.py."""


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

    until(is_traced)
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
        until(lambda: is_free(counter.pid))
        is_well(counter, 0)
