"""Targets that end, exec, or lose their pid to another process while they are being read."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import pythons
from cli.running import complaint, run
from memprobe.errors import MemprobeError, NotPython, TargetExited, TargetGone
from memprobe.target.inspection import assembly as inspection
from memprobe.target.inspection.evidence import Evidence, collect
from memprobe.target.proc.process import Process
from memprobe.vocab import Memory

TIMES = 1000
ENDS = ("exit", "exec-sleep", "exec-python")
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


def test_a_target_that_ends_or_execs_while_it_is_read(targets: Path) -> None:
    """A thousand times, at a moment spread over the whole inspection: a document or the right error."""
    chance, outcomes = random.Random(2), Counter[str]()
    with pythons.own().spawn(targets / "short_lived.py") as target:
        span_us = 0.0
        for number in range(TIMES):
            if number % 100 == 0:  # how long that is depends on who else wants the CPU
                span_us = 1.5 * inspection_us(target.pid)
            pid = int(target.ask(f"{ENDS[number % len(ENDS)]} {chance.uniform(0, span_us):.0f}"))
            try:
                seen = inspection.inspect_process(pid)
                assert seen.target.pid == pid
                outcomes["read in time"] += 1
            except (TargetGone, NotPython) as error:
                outcomes[type(error).__name__] += 1
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    print(dict(outcomes))
    assert {"read in time", "TargetExited", "TargetReplaced"} <= outcomes.keys()


def inspection_us(pid: int) -> float:
    inspection.inspect_process(pid)
    start = time.perf_counter()
    inspection.inspect_process(pid)
    return (time.perf_counter() - start) * 1e6


def test_the_command_on_a_target_that_ends(targets: Path) -> None:
    """The same with the whole command: whatever happened, one line or a document, never a traceback."""
    with pythons.own().spawn(targets / "short_lived.py") as target:
        for delay_ms in range(60, 300, 20):
            pid = int(target.ask(f"{ENDS[delay_ms // 20 % 2]} {delay_ms * 1000}"))
            done = run("inspect", pid)
            if done.returncode:
                assert done.returncode in (4, 5)
                complaint(done, done.returncode)
            else:
                assert f"pid {pid} is" in done.stdout


@pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(LAST_PID, os.W_OK), reason="needs root and ns_last_pid"
)
def test_a_recycled_pid_is_never_read(targets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target dies in the middle, and another Python gets its pid: nothing of that one is believed."""
    with pythons.own().spawn(targets / "service.py") as target, contextlib.ExitStack() as others:

        def collect_and_lose(process: Process, memory: Memory) -> Evidence:
            evidence = collect(process, memory)
            target.kill()
            others.enter_context(python_with_pid(target.pid, targets))
            return evidence

        monkeypatch.setattr(inspection, "collect", collect_and_lose)
        with pytest.raises(TargetExited, match=f"process {target.pid} ended while it was being read"):
            inspection.inspect_process(target.pid)
        monkeypatch.undo()
        assert inspection.inspect_process(target.pid).target.pid == target.pid


@contextlib.contextmanager
def python_with_pid(pid: int, targets: Path) -> Iterator[None]:
    """Run another Python under a pid that has just become free."""
    command = [str(pythons.own().path), str(targets / "service.py")]
    for _ in range(200):
        LAST_PID.write_text(str(pid - 1))
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        try:
            if process.pid == pid:
                assert process.stdout.readline().startswith(b"ready")
                yield
                return
        finally:
            process.kill()
            process.communicate()
    raise AssertionError(f"the pid {pid} could not be had again")


def test_every_error_on_the_way_is_one_of_ours() -> None:
    """What the loop above accepts really are errors with an exit code for the command line."""
    assert issubclass(TargetGone, MemprobeError)
    assert (TargetGone.exit_code, NotPython.exit_code) == (4, 5)
