"""The target is never stopped: its own clock shows no gap that inspect makes, and nothing stays behind.

The short form of tests/soak/soak_inspect.py.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import pythons
from soak._busy import busy_target, gaps, inspect_as_a_user, traces
from undisturbed import check_never_stopped

MOST_TURNS = 60
GAP_ALLOWED_MS = 10.0
"""Two slices of the scheduler: other programs want the CPU of the target too."""

HELD_ALLOWED_MS = 10.0
"""Half of what the shortest reading takes: a target stopped for it would be held up for 20 ms and more."""


@pytest.mark.few_interpreters
def test_inspect_makes_no_gap(interpreter: pythons.Interpreter) -> None:
    inspected, alone = [], []
    with busy_target(interpreter) as target:
        for _ in range(MOST_TURNS):
            inspected.append(gaps(target, lambda: inspect_as_a_user(target.pid)))
            alone.append(gaps(target, lambda: time.sleep(0.3)))
            # A stop would be in every turn, the noise of the machine is not: the quietest turns tell.
            longest_ms, alone_ms = (min(one.longest_ms for one in turns) for turns in (inspected, alone))
            held_ms, alone_held_ms = (min(one.held_ms for one in turns) for turns in (inspected, alone))
            if longest_ms <= alone_ms + GAP_ALLOWED_MS and held_ms <= alone_held_ms + HELD_ALLOWED_MS:
                return
    raise AssertionError(f"inspected {inspected}, alone {alone}")


def test_inspect_leaves_nothing() -> None:
    with busy_target(pythons.own()) as target:
        inspect_as_a_user(target.pid)
        before = traces(target)
        for _ in range(10):
            inspect_as_a_user(target.pid)
        assert traces(target) == before
        assert before.tracer == "0"


def test_the_target_is_not_traced_while_it_is_read() -> None:
    """Looks at TracerPid all through an inspection: ptrace would show."""
    import sys

    with pythons.own().spawn(Path(__file__).parent / "targets" / "service.py") as target:
        command = [sys.executable, "-m", "memprobe.cli", "inspect", str(target.pid)]
        check_never_stopped(target.pid, command)
