"""What the threads of a process ran when its memory had grown, as py-spy sees it.

Where memprobe's layouts do not hold it knows no stack. py-spy, which has layouts of its own, is run for a
moment when more anonymous memory is in use than ever before; it does not pause the process. What has grown
since the moment before is credited to the thread that held the lock then, so a line that takes memory often
has most of it in the end, and one stack alone proves little. What is freed and taken again counts once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np

from memprobe.abi import GrowthHow
from memprobe.errors import TargetGone
from memprobe.sources.procfs.followed import NS, Due
from memprobe.target.inspection import py_spy
from memprobe.target.inspection.document import FramePart
from memprobe.target.proc.process import Process
from memprobe.target.proc.procfs import size_bytes
from memprobe.vocab.batch import Batch
from memprobe.vocab.digest import blake2b
from memprobe.vocab.rows import GROWTH, Rows, no_rows
from memprobe.vocab.stack import Frame, Stack

LEAST_BYTES = 256 << 10
"""So much more than ever before is a moment of growth: an arena of CPython, or less."""

PAUSE_S, SHARE = 0.5, 0.02
"""Between two runs at least, and of a core at most: one takes some hundredths of a second."""

RETRY_S = 10.0
"""Until it is tried again, where it cannot be run at all."""

END_S = 1.0
"""So long one that was killed is waited for: a file system that hangs holds it even then."""

DEEPEST = 256
"""Frames of a stack that are kept, the innermost."""

CREDITED = (
    "Where memory grows was seen by py-spy, now and then: all that had grown since it was last asked is "
    "credited to what ran at that moment."
)
REFUSED = "Where memory grows is not seen: py-spy gives no stacks ({reason})."


class PySpySource:
    """Growth of one process by sampled stacks."""

    name = "py-spy"
    tier = 0

    def __init__(self, process: Process, program: str) -> None:
        """Prepare to sample a process; `program` is where py-spy is."""
        self._process, self._program = process, program
        self._due = Due()
        self._most_bytes: int | None = None
        """Of anonymous memory, ever; what is above it has no stack yet."""

        self._run: _Run | None = None
        self._reason = ""
        self._since_ns = 0

    def start(self) -> None:
        """Begin: what is in use now is no growth."""
        self._since_ns = time.monotonic_ns()
        self._most_bytes = self._anonymous_bytes()

    def poll(self) -> Batch | None:
        """Credit what has grown if py-spy has answered, and ask it if there is growth without a stack."""
        stacks: dict[int, Stack] = {}
        growth = no_rows(GROWTH)
        if self._run is not None and self._run.is_over():
            growth = self._credited(self._run, stacks)
            self._run = None
        self._ask_if_due()
        begin_ns, self._since_ns = self._since_ns, time.monotonic_ns()
        told = REFUSED.format(reason=self._reason) if self._reason else CREDITED
        return Batch(self.name, begin_ns, self._since_ns, growth=growth, stacks=stacks, invisible=(told,))

    def close(self) -> None:
        """End what is under way. May be called twice."""
        if self._run is not None:
            self._run.end()
            self._run = None

    def _ask_if_due(self) -> None:
        if self._run is not None or time.monotonic_ns() < self._due.at_ns:
            return
        now_bytes = self._anonymous_bytes()
        if now_bytes is None:
            return
        if self._most_bytes is None:
            self._most_bytes = now_bytes
        if now_bytes - self._most_bytes >= LEAST_BYTES:
            try:
                self._run = _Run(self._program, self._process.pid, now_bytes - self._most_bytes)
            except OSError as error:  # no such program, no memory, no room for what it says
                self._reason = _first_line(error)
                self._due.done(0, RETRY_S, SHARE)
                return
            self._most_bytes = now_bytes

    def _anonymous_bytes(self) -> int | None:
        try:
            return size_bytes(self._process.folder.status().get("RssAnon"))
        except TargetGone:
            return None

    def _credited(self, run: _Run, stacks: dict[int, Stack]) -> Rows:
        """Return the growth of one moment by stack, and put the stacks into `stacks`."""
        self._due.done(run.cpu_ns, PAUSE_S, SHARE)
        try:
            running = stacks_of(run.threads())
            self._process.check()  # py-spy knows a pid only, which may be another's by now
            self._reason = ""
        except (OSError, ValueError, TargetGone) as error:
            running, self._reason = [], _first_line(error)
        numbers = [_number(stack) for stack in running] or [0]
        stacks.update(zip(numbers, running, strict=False))
        rows = np.zeros(len(numbers), GROWTH)
        rows["pid"], rows["how"], rows["events"] = self._process.pid, GrowthHow.SAMPLED, 1
        rows["stack_id"], rows["grown_bytes"] = numbers, run.grown_bytes // len(numbers)
        return rows


class _Run:
    """py-spy under way: one look at all threads of a process."""

    def __init__(self, program: str, pid: int, grown_bytes: int) -> None:
        """Begin; raises OSError if it cannot be run."""
        self.grown_bytes = grown_bytes
        """What its answer is about."""

        self.cpu_ns = 0
        """What it took, once it is over."""

        self._begin_ns = time.monotonic_ns()
        with ExitStack() as files:
            # Files, because nobody empties pipes while it runs; read when it has ended.
            self._output = files.enter_context(tempfile.TemporaryFile())
            self._errors = files.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(
                py_spy.command(program, pid),
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._errors,
            )
            self._files = files.pop_all()

    def is_over(self) -> bool:
        """Whether it has answered, or will not."""
        if time.monotonic_ns() - self._begin_ns > py_spy.TIMEOUT_S * 1e9:
            os.kill(self._process.pid, signal.SIGKILL)  # Popen.kill would collect it, and what it took
        self._collect(self._process)
        return self._process.returncode is not None

    def _collect(self, process: subprocess.Popen[bytes]) -> None:
        """See whether it has ended, without waiting, and what it took."""
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            self.cpu_ns = int((usage.ru_utime + usage.ru_stime) * NS)

    def threads(self) -> list[dict[str, Any]]:
        """What it has said of each thread; raises OSError or ValueError if it has not said so."""
        with self._files:
            if self._process.returncode:
                self._errors.seek(0)
                why = self._errors.read(4096).decode("utf-8", "replace").strip()
                raise ValueError(why or f"it ended with {self._process.returncode}")
            self._output.seek(0)
            return py_spy.threads_in(self._output.read(py_spy.OUTPUT_LIMIT))

    def end(self) -> None:
        """End it, whatever it does."""
        if self._process.returncode is None:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
        self._files.close()


def stacks_of(threads: Sequence[dict[str, Any]]) -> list[Stack]:
    """Return the stacks of those that ran: of who held the lock, or of all that were not waiting."""
    holders = [thread for thread in threads if thread.get("owns_gil") is True]
    running = holders or [thread for thread in threads if thread.get("active") is True]
    found = (py_spy.frames_of(thread) for thread in running)
    return [_stack(frames) for frames in found if frames]


def _stack(parts: Sequence[FramePart]) -> Stack:
    frames = tuple(Frame(one.function, one.file, one.line) for one in parts[:DEEPEST])
    return Stack(frames, complete=len(parts) <= DEEPEST)


def _number(stack: Stack) -> int:
    """A number for a stack: the same for the same frames."""
    return int.from_bytes(blake2b(repr(stack.frames).encode(), digest_size=8).digest(), "little") or 1


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
