"""A call in a child process that nobody waits for: it is asked now and then whether it is back.

Like `killable.call`, for a run that has other things to do meanwhile. The child may hang where a target makes
its reader wait for ever; who sees that it does nothing for too long ends it. It holds none of memprobe's
descriptors: a forgotten one would keep programs in the kernel after memprobe has been killed.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from memprobe.errors import MemprobeError
from memprobe.target.killable import (
    BLOCKED_LIMIT_S,
    LENGTH,
    Outcome,
    ReaderDied,
    be_the_child,
    blocked,
    progress,
    unpacked,
)
from memprobe.target.proc.procfs import ProcFolder, parse_status, size_bytes

MOST_BYTES = 1 << 27
"""No answer is longer."""

_CHUNK = 1 << 18
_PAUSE = 100
"""Times as long as it took to ask."""

_PRIVATE = ("Private_Clean", "Private_Dirty", "Private_Hugetlb")


class Errand:
    """One call under way."""

    def __init__(self, function: Callable[[], Any], keeps: tuple[int, ...] = ()) -> None:
        """Begin to call a function; its result must be plain data that JSON can hold.

        Of memprobe's descriptors it has those that it `keeps`. Raises OSError if there can be no child now.
        """
        parent = os.getpid()
        self._pipe, answers = os.pipe()
        try:
            self.pid = os.fork()
        except OSError:
            os.close(self._pipe)
            os.close(answers)
            raise
        if self.pid == 0:
            be_the_child(parent, answers, lambda _, __: _alone((answers, *keeps), function), [None])
        os.close(answers)
        os.set_blocking(self._pipe, False)
        self._received = bytearray()
        self._asleep_s, self._used, self._seen_s = 0.0, -1, time.monotonic()
        self._used_ns = self._private_bytes = 0
        self._weigh_s = 0.0

    def outcome(self) -> Outcome | None:
        """Return what came of it; None as long as it goes on. To be asked about once a second."""
        is_over = self._read()
        if is_over:
            return self._answer()
        self._watch()
        if self._asleep_s >= BLOCKED_LIMIT_S:
            return Outcome(error=blocked(self._asleep_s))
        return None

    @property
    def cpu_ns(self) -> int:
        """CPU time that it has used until now, or until it ended."""
        if self.pid:
            try:
                # clock_getcpuclockid(3), which Python does not have: stat has ticks of 10 ms.
                self._used_ns = time.clock_gettime_ns((~self.pid << 3) | 2)
            except OSError:
                pass  # it has ended
        return self._used_ns

    def private_bytes(self) -> int:
        """Return the memory that it does not share with memprobe, as far as that is known.

        The kernel goes through all its pages for that, so a large one is asked about less often.
        """
        begin_s = time.monotonic()
        if begin_s >= self._weigh_s:
            self._private_bytes = self._weighed()
            end_s = time.monotonic()
            self._weigh_s = end_s + (end_s - begin_s) * _PAUSE
        return self._private_bytes

    def _weighed(self) -> int:
        try:
            with ProcFolder(self.pid) as folder:
                lines = parse_status(folder.read("smaps_rollup", 1 << 16))
        except (OSError, MemprobeError):
            return 0
        return sum(size_bytes(lines.get(name)) or 0 for name in _PRIVATE)

    def end(self) -> None:
        """Kill it if it still runs, without waiting. May be called twice."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
            os.kill(self.pid, signal.SIGKILL)

    def is_collected(self) -> bool:
        """Whether it is gone after `end`. A FUSE server can hold its reader even against SIGKILL."""
        if self.pid:
            pid, _, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._used_ns = int((usage.ru_utime + usage.ru_stime) * 1e9)
                self.pid = 0
        return not self.pid

    def _read(self) -> bool:
        """Take what it has sent; return whether that is all."""
        while len(self._received) <= MOST_BYTES:
            try:
                chunk = os.read(self._pipe, _CHUNK)
            except BlockingIOError:
                return False
            if not chunk:
                break
            self._received += chunk
            self._asleep_s = 0.0
        return True

    def _answer(self) -> Outcome:
        if len(self._received) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._received)
            if len(self._received) == LENGTH.size + length:
                return unpacked(json.loads(self._received[LENGTH.size :]))
        return Outcome(error=ReaderDied("the reading process ended without an answer"))

    def _watch(self) -> None:
        """Count the time in which it slept and used no CPU, whenever it was asked about."""
        now_s = time.monotonic()
        sleeping, used = progress(self.pid)
        if sleeping and used == self._used:
            self._asleep_s += now_s - self._seen_s
        self._used, self._seen_s = used, now_s


def _alone(keeps: tuple[int, ...], function: Callable[[], Any]) -> Any:
    """Call a function in a child that has nothing of its parent's but memory, and some descriptors."""
    # timeout(1) and others signal a whole group: memprobe ends this child when it ends itself.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # What the parent has made is never finalised here: its descriptors have other owners soon.
    gc.freeze()
    for below, above in pairwise((2, *sorted(keeps), os.sysconf("SC_OPEN_MAX"))):
        os.closerange(below + 1, above)
    return function()
