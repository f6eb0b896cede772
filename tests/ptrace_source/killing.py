"""memprobe, or a part of its tracing, killed at a random moment; and what becomes of the target."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from memprobe.sources.ptrace.options import PtraceOptions
from memprobe.sources.ptrace.source import PtraceSource
from memprobe.target.proc.process import open_process
from patience import until
from ptrace_source.tracing import is_free
from pythons import Target

LIFE_S = 0.15
"""How long memprobe traces at most before it is killed."""

SIGNALS = 20

OFTEN = PtraceOptions(tree=True, slowdown_pct=100.0, slice_ns=10_000_000)
"""Half of the time a window is open, half of the time none is."""


@contextmanager
def tracing(pid: int, options: PtraceOptions = OFTEN) -> Iterator[int]:
    """A memprobe of its own that traces a process until it is killed; its pid."""
    memprobe = os.fork()
    if memprobe == 0:
        _trace(pid, options)
    try:
        yield memprobe
    finally:
        os.kill(memprobe, signal.SIGKILL)
        os.waitpid(memprobe, 0)


def _trace(pid: int, options: PtraceOptions) -> NoReturn:
    try:
        with open_process(pid) as process:
            source = PtraceSource(process, None, options)
            source.start()
            while True:
                source.poll()
                time.sleep(0.005)
    finally:
        os._exit(1)


def family(pid: int) -> list[int]:
    """A process, its child, and the child of that: memprobe, the watchdog, the tracer."""
    found = [pid]
    for parent in found:
        try:
            found += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
        except OSError:
            continue
    return found


def killed_at_random(target: Target, chance: random.Random) -> int:
    """Trace a counting target, send it signals, kill somebody; return how many were sent."""
    with tracing(target.pid) as memprobe:
        deadline, sent = time.monotonic() + chance.uniform(0, LIFE_S), 0
        while time.monotonic() < deadline or sent < SIGNALS:
            os.kill(target.pid, signal.SIGRTMIN)
            sent += 1
            time.sleep(chance.uniform(0, 0.002))
        victim = chance.choice(family(memprobe)) if chance.random() < 0.3 else memprobe
        with suppress(ProcessLookupError):  # its window has just ended
            os.kill(victim, signal.SIGKILL)
        os.kill(memprobe, signal.SIGKILL)
        until(lambda: is_free(target.pid))
    return sent
