"""A busy target that measures itself, and everything that memprobe could leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from patience import PATIENCE_S
from pythons import Interpreter, Target

TICKING = Path(__file__).resolve().parent.parent / "targets" / "ticking.py"
OBJECTS = "200000"


@contextmanager
def busy_target(interpreter: Interpreter) -> Iterator[Target]:
    """Run the target, on a CPU of its own if there are two: then only a stop makes a gap."""
    cpus = sorted(os.sched_getaffinity(0))
    with interpreter.spawn(TICKING, OBJECTS) as target:
        if len(cpus) > 1:
            for tid in os.listdir(f"/proc/{target.pid}/task"):
                os.sched_setaffinity(int(tid), cpus[:1])
            os.sched_setaffinity(0, cpus[1:])
        try:
            yield target
        finally:
            os.sched_setaffinity(0, cpus)


@dataclass(frozen=True)
class Gaps:
    """How a target that never waits was kept from running."""

    longest_ms: float
    """The longest time between two ticks of its own clock."""

    held_ms: float
    """The time in which it neither ran nor waited for a CPU: stopped, or held up in the kernel."""


def gaps(target: Target, meanwhile: Callable[[], object]) -> Gaps:
    """Measure a target while something is done."""
    assert target.ask("start") == "started"
    before = time.perf_counter_ns(), _scheduled_ns(target.pid)
    try:
        meanwhile()
    finally:
        wall_ns = time.perf_counter_ns() - before[0]
        held_ns = wall_ns - (_scheduled_ns(target.pid) - before[1])
        longest_ns = int(target.ask("stop"))
    return Gaps(longest_ns / 1e6, held_ns / 1e6)


def _scheduled_ns(tid: int) -> int:
    """Time on a CPU and time in the queue for one; a busy machine makes gaps of the second kind."""
    on_cpu, in_queue, _ = Path(f"/proc/{tid}/schedstat").read_text().split()
    return int(on_cpu) + int(in_queue)


@dataclass(frozen=True)
class Traces:
    """What of memprobe can be seen on the target and on the machine."""

    target_files: tuple[str, ...]
    target_mappings: tuple[str, ...]
    target_threads: int
    tracer: str
    own_files: int
    own_children: str
    uprobes: str


def traces(target: Target) -> Traces:
    """Collect them; two that are equal mean that nothing was left."""
    folder = Path(f"/proc/{target.pid}")
    status = dict(
        line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line
    )
    mappings = {line.split(None, 5)[-1] for line in (folder / "maps").read_text().splitlines()}
    me = os.getpid()
    return Traces(
        target_files=tuple(sorted(os.listdir(folder / "fd"))),
        target_mappings=tuple(sorted(name for name in mappings if name.startswith(("[", "/")))),
        target_threads=int(status["Threads"]),
        tracer=status["TracerPid"],
        own_files=len(os.listdir("/proc/self/fd")),
        own_children=Path(f"/proc/self/task/{me}/children").read_text(),
        uprobes=_uprobes(target.pid),
    )


def _uprobes(pid: int) -> str:
    """Those that tracefs lists of the binary of a process: others may come and go in others."""
    name = Path(f"/proc/{pid}/exe").readlink().name
    for tracefs in (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing")):
        try:
            lines = (tracefs / "uprobe_events").read_text().splitlines()
        except OSError:
            continue
        return "\n".join(line for line in lines if name in line)
    return ""


def inspect_as_a_user(pid: int) -> None:
    """One run of the command, from its start to its end; nothing of its session may stay."""
    command = [sys.executable, "-m", "memprobe.cli", "inspect", "--json", "--stacks", str(pid)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    if running.wait(PATIENCE_S) != 0:
        raise AssertionError(f"memprobe inspect ended with {running.returncode}")
    left = [entry for entry in os.listdir("/proc") if entry.isdecimal() and _session(entry) == running.pid]
    if left:
        raise AssertionError(f"memprobe left processes behind: {left}")


def _session(pid: str) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[3])
