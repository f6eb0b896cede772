"""Hold a process still while it is read, bounded in time, so that it surely goes on again.

    memprobe ── reader (target/killable) ─┬─ holder     the tracer: stops every thread, then waits
                                          └─ watchdog   kills the holder

The target stands for exactly as long as the holder lives: the kernel lets a tracer's threads go when it ends.
So everything that may go wrong has to come to one thing, the end of the holder:

    the reading is done, fails, or is interrupted      the lifeline is closed; the holder ends
    the time is over                                   the holder ends by itself; else the watchdog kills it
    memprobe or the reader is killed                   the kernel kills the holder (parent-death signal), and
                                                       the watchdog does, as the lifeline breaks
    the watchdog is killed                             the holder has the time limit and the lifeline itself
    somebody stops the holder, or Ctrl-Z the terminal  both are in sessions of their own; the watchdog kills

The cgroup freezer is not used: what it has frozen stays so when everybody who knows of it is killed, and it
stops whoever else lives in the same cgroup.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from memprobe import errors
from memprobe.errors import MemprobeError, TargetBlocksReading
from memprobe.heap.stopping import all_have_ended, stop_all
from memprobe.native.lifetime import die_with
from memprobe.target.forking import fork
from memprobe.target.proc.process import Process
from memprobe.target.proc.procfs import ProcFolder

LIMIT_S = 5.0
"""For so long a target may stand, unless told otherwise."""

GRACE_S = 0.2
"""So much later the watchdog does what the holder should have done."""

REAP_NS = 20_000_000
"""How often the holder collects threads that were killed: until then the kernel does not call them ended."""

REPORT_LIMIT = 1 << 16


@dataclass(slots=True)
class Freeze:
    """A process that stands, or has stood."""

    threads: int
    """How many threads stand."""

    in_kernel: int
    """How many of them wait in the kernel, and would stop before they ran code of the process."""

    holder: int
    """The pid of the tracer."""

    watchdog: int
    """The pid of its watchdog."""

    begin_ns: int
    """When the first thread was told to stop (CLOCK_MONOTONIC)."""

    held_s: float | None = None
    """How long the target stood; None while it does."""

    outlasted: bool = False
    """Whether the target was let go before the block ended, as the time was over."""


@contextmanager
def frozen(process: Process, limit_s: float = LIMIT_S) -> Iterator[Freeze]:
    """Hold every thread of a process until the block ends, at most `limit_s` seconds.

    Forks, so no other thread of memprobe may run. Raises NotPermitted or TargetBlocksReading if the process
    cannot be stopped, or a leaf of TargetGone.
    """
    hold = _Hold(process, limit_s)
    try:
        freeze = hold.established()
        try:
            yield freeze
        finally:
            freeze.outlasted = hold.has_ended()
            hold.end()
            freeze.held_s = (time.monotonic_ns() - freeze.begin_ns) / 1e9
            if freeze.outlasted:
                freeze.held_s = min(freeze.held_s, limit_s + GRACE_S)
    finally:
        hold.end()


class _Hold:
    """The two processes, seen from the reader."""

    def __init__(self, process: Process, limit_s: float) -> None:
        self._pid = process.pid
        self._descriptors: list[int] = []
        self._children: list[int] = []
        self._begin_ns = time.monotonic_ns()
        self._deadline_ns = self._begin_ns + int(limit_s * 1e9)
        try:
            self._start(process)
        except BaseException:
            self.end()
            raise

    def _start(self, process: Process) -> None:
        lifeline, self._lifeline = self._pipe()
        waiting, beginning = self._pipe()
        self._report, reporting = self._pipe()
        deadline_ns, folder, reader = self._deadline_ns, process.folder, os.getpid()
        self._fork(
            lambda: _hold(folder, reader, lifeline, waiting, reporting, deadline_ns),
            keep=(lifeline, waiting, reporting, folder.descriptor),
        )
        self._holder_fd = os.pidfd_open(self._children[0])
        self._descriptors.append(self._holder_fd)
        self._fork(
            lambda: _watch(self._holder_fd, lifeline, beginning, deadline_ns),
            keep=(self._holder_fd, lifeline, beginning),
        )
        for descriptor in (lifeline, waiting, beginning, reporting):
            self._close(descriptor)

    def established(self) -> Freeze:
        """Wait until every thread stands."""
        answer = self._answer()
        match answer:
            case {"threads": int(threads), "in_kernel": int(in_kernel)}:
                holder, watchdog = self._children
                return Freeze(threads, in_kernel, holder, watchdog, self._begin_ns)
            case {"error": [name, fact, remedy]}:
                kind: type[MemprobeError] = getattr(errors, name)
                raise kind(fact, remedy=remedy)
        raise TargetBlocksReading(
            f"process {self._pid} could not be stopped in time, or what stopped it was killed",
            remedy="try again, or leave out --freeze",
        )

    def has_ended(self) -> bool:
        """Whether the target has been let go."""
        return bool(_readable(self._holder_fd, 0))

    def end(self) -> None:
        """Let the target go, and leave nothing behind. May be called twice."""
        for descriptor in list(self._descriptors):
            self._close(descriptor)
        for child in self._children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self._children.clear()

    def _answer(self) -> object:
        received = b""
        while not received.endswith(b"\n") and len(received) < REPORT_LIMIT:
            if not _readable(self._report, self._deadline_ns - time.monotonic_ns()):
                return None
            chunk = os.read(self._report, REPORT_LIMIT)
            if not chunk:
                return None
            received += chunk
        return json.loads(received)

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe()
        self._descriptors += ends
        return ends

    def _close(self, descriptor: int) -> None:
        self._descriptors.remove(descriptor)
        os.close(descriptor)

    def _fork(self, work: Callable[[], None], keep: tuple[int, ...]) -> None:
        child = fork()
        if child == 0:
            _be(work, keep)
        self._children.append(child)


def _be(work: Callable[[], None], keep: tuple[int, ...]) -> NoReturn:
    """Be a child that only works, in a session of its own, without a file that others may wait for."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(null, standard)
        below = 3
        for descriptor in sorted(keep):
            os.closerange(below, descriptor)
            below = descriptor + 1
        os.closerange(below, os.sysconf("SC_OPEN_MAX"))
        work()
    finally:
        os._exit(0)


def _hold(
    folder: ProcFolder, reader: int, lifeline: int, waiting: int, reporting: int, deadline_ns: int
) -> None:
    """Stop the target once there is a watchdog, say so, and stay until it may go on."""
    die_with(reader)
    if os.read(waiting, 1):
        os.write(reporting, json.dumps(_stopped(folder)).encode() + b"\n")
        while (left_ns := deadline_ns - time.monotonic_ns()) > 0 and not all_have_ended():
            if _readable(lifeline, min(left_ns, REAP_NS)):
                break


def _stopped(folder: ProcFolder) -> dict[str, object]:
    try:
        standing = stop_all(folder)
    except MemprobeError as error:
        return {"error": [type(error).__name__, error.fact, error.remedy]}
    return {"threads": standing.threads, "in_kernel": standing.in_kernel}


def _watch(holder: int, lifeline: int, beginning: int, deadline_ns: int) -> None:
    """Kill the holder when nobody waits for it any more, or it stays too long."""
    os.write(beginning, b"!")
    os.close(beginning)
    left_ns = deadline_ns + int(GRACE_S * 1e9) - time.monotonic_ns()
    if holder not in _readable(holder, left_ns, lifeline):
        signal.pidfd_send_signal(holder, signal.SIGKILL)


def _readable(descriptor: int, for_ns: int, other: int = -1) -> list[int]:
    """Wait until a descriptor has something to read or is at its end; those that do."""
    waiting = select.poll()
    for one in (descriptor, other):
        if one >= 0:
            waiting.register(one, select.POLLIN)
    return [ready for ready, _ in waiting.poll(max(0, for_ns / 1e6))]
