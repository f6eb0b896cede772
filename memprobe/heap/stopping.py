"""Stop every thread of a process by ptrace, threads that are being born included.

Whoever runs this is the tracer. There is no code that lets the threads go: the kernel does that when the
tracer ends, however it ends. That is why the tracer is a process of its own (see `freezing`).

A system call that the kernel does not restart after a stop (epoll_wait, some reads with a timeout) returns
EINTR to the target; Python itself repeats such calls (PEP 475).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from memprobe.errors import MemprobeError, NotPermitted, TargetBlocksReading
from memprobe.native._native import trace_interrupt, trace_seize
from memprobe.target.proc.procfs import ProcFolder, Stat, parse_stat

WAIT_ALL = 0x40000000
"""__WALL: wait for threads that other processes have made, too."""

STOP_LIMIT_S = 2.0
"""A thread that runs stops within microseconds; on a machine with far too much to do, within some slices."""

IN_KERNEL_AFTER_S = 0.25
"""From here on a thread that waits in the kernel without letting itself be stopped counts as standing."""

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.0002, 0.005


@dataclass(frozen=True, slots=True)
class Standing:
    """What came of stopping a process."""

    threads: int
    """How many threads stand."""

    in_kernel: int
    """How many of them wait in the kernel (state D): they stop before they run code of the process again."""


def stop_all(folder: ProcFolder, *, limit_s: float = STOP_LIMIT_S) -> Standing:
    """Stop every thread; this process is their tracer until it ends.

    When all that were listed stand, nobody is left who could make another: the list after that is complete.
    Raises NotPermitted, TargetBlocksReading if a thread does not stop, or a leaf of TargetGone.
    """
    begin = time.monotonic()
    pending: set[int] = set()
    known: set[int] = set()
    pause_s = SHORTEST_PAUSE_S
    while True:
        born = _threads(folder) - known
        known |= born
        pending |= {tid for tid in born if _seize(folder, tid)}
        pending -= {tid for tid in pending if _has_stopped(tid)}
        waited_s = time.monotonic() - begin
        in_kernel = _in_kernel(folder, pending) if waited_s > IN_KERNEL_AFTER_S else set()
        if not born and pending == in_kernel:
            return Standing(len(_threads(folder)), len(in_kernel))
        if waited_s > limit_s:
            raise _will_not_stop(folder, pending, waited_s)
        if not born:
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def all_have_ended() -> bool:
    """Collect what was killed; whether no thread that this process traces is left."""
    try:
        while os.waitpid(-1, os.WNOHANG | WAIT_ALL)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _threads(folder: ProcFolder) -> set[int]:
    return {int(name) for name in folder.entries("task") if name.isdecimal()}


def _seize(folder: ProcFolder, tid: int) -> bool:
    """Seize a thread and tell it to stop; False if it has ended meanwhile."""
    try:
        trace_seize(tid)
        trace_interrupt(tid)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        stat = _stat(folder, tid)
        if stat is None or stat.has_ended or stat.is_exiting:
            return False
        raise _denied(folder, tid, error) from None
    return True


def _has_stopped(tid: int) -> bool:
    """Whether a seized thread stands, or is no more."""
    try:
        waited, status = os.waitpid(tid, os.WNOHANG | WAIT_ALL)
    except ChildProcessError:
        return True
    return waited == tid and (os.WIFSTOPPED(status) or os.WIFEXITED(status) or os.WIFSIGNALED(status))


def _in_kernel(folder: ProcFolder, tids: set[int]) -> set[int]:
    states = {tid: _stat(folder, tid) for tid in tids}
    return {tid for tid, stat in states.items() if stat is not None and stat.state == "D"}


def _stat(folder: ProcFolder, tid: int) -> Stat | None:
    try:
        return parse_stat(folder.read(f"task/{tid}/stat", 4096))
    except (OSError, ValueError, MemprobeError):
        return None


def _denied(folder: ProcFolder, tid: int, error: OSError) -> NotPermitted:
    fact = f"not permitted to stop process {folder.pid} (ptrace: {error.strerror})"
    tracer = _tracer(folder, tid)
    if tracer:
        return NotPermitted(
            f"{fact}: process {tracer} traces it already", remedy="end that one, or leave out --freeze"
        )
    return NotPermitted(
        fact, remedy=f"leave out --freeze, or see what is missing: sudo memprobe doctor {folder.pid}"
    )


def _tracer(folder: ProcFolder, tid: int) -> int:
    try:
        text = folder.read(f"task/{tid}/status", 1 << 16).decode("utf-8", "replace")
    except (OSError, MemprobeError):
        return 0
    return next(_numbers(text, "TracerPid:"), 0)


def _numbers(text: str, key: str) -> Iterator[int]:
    yield from (int(line.removeprefix(key)) for line in text.splitlines() if line.startswith(key))


def _will_not_stop(folder: ProcFolder, pending: set[int], waited_s: float) -> TargetBlocksReading:
    tids = ", ".join(map(str, sorted(pending)[:5]))
    return TargetBlocksReading(
        f"process {folder.pid} did not stop within {waited_s:.0f} s: its threads {tids} went on",
        remedy="leave out --freeze",
    )
