"""Bursts in which the threads of a process stop wherever they change the size of a container.

They stop at a breakpoint of the CPU (native/src/trace_breakpoint.c), two containers at once. Each stop is
dear, so that a burst has a few only.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from memprobe.errors import NoKernelSupport
from memprobe.native.trace import Burst
from memprobe.vocab.bursts import Change, Looked, Mutated, Window

REGISTERS = 2
"""TRACE_WORDS of native/src/trace_shared.h."""

HITS = 48
"""Of a burst: at some 50 us each the target is stopped for 2 ms."""

UNKNOWN = (1 << 64) - 1
"""What a word is that is not known."""

_WORD = struct.Struct("=QII")
_WIDTH = 8
_CHANGE = np.dtype([(name, "<u8") for name in ("stack_id", "added", "removed", "hits", "word")])

REFUSED = {
    errno.EACCES: "the kernel permits no breakpoints (kernel.perf_event_paranoid, or its security module)",
    errno.EPERM: "the kernel permits no breakpoints (kernel.perf_event_paranoid, or a seccomp profile)",
    errno.ENOSPC: "all debug registers of the process are taken, by a debugger or another profiler",
    errno.EBUSY: "the process has handlers for both signals that a breakpoint may send (SIGURG, SIGWINCH)",
    errno.EPROTO: "threads do not stop at the breakpoints of this machine",
    errno.EMFILE: "it has too many threads for the files that memprobe may open (ulimit -n)",
}
"""Why there can be no burst, by errno."""

PASSING = (errno.EAGAIN, errno.ECANCELED, errno.ESRCH)
"""The window was over too soon, the target called exec or ended."""

Watch = Callable[[bytes, float, int], tuple[Burst, int] | None]
"""Makes a burst: words, seconds, hits; what it has shown, and its cost in nanoseconds."""


class TracedBursts:
    """Bursts on one process."""

    def __init__(self, pid: int, watch: Watch) -> None:
        """Prepare; nothing is done before it is asked for."""
        self._pid, self._watch = pid, watch
        self.reasons: dict[int, str] = {}

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._pid

    @property
    def most(self) -> int:
        """Containers that are looked at in one burst."""
        return REGISTERS

    def window(self, containers: Sequence[Looked], longest_s: float, limit: int) -> Window | None:
        """Look until there were so many hits, or fewer, or the time is up; None if nothing can be seen now.

        Raises NoKernelSupport if it cannot be here.
        """
        looked = containers[:REGISTERS]
        words = b"".join(_WORD.pack(one.size_address, self._pid, _WIDTH) for one in looked)
        told = self._watch(words, longest_s, min(limit, HITS))
        if told is None or told[0].errno in PASSING:
            return None
        burst, cost_ns = told
        if burst.errno:
            reason = REFUSED.get(burst.errno, f"the kernel refuses a breakpoint ({os.strerror(burst.errno)})")
            raise NoKernelSupport(reason)
        seen = tuple(_seen(burst, len(looked)))
        return Window(burst.begin_ns, burst.end_ns, cost_ns, seen + (None,) * (len(containers) - len(seen)))


def _seen(burst: Burst, count: int) -> Iterator[Mutated | None]:
    """What was seen of each word."""
    changes = np.frombuffer(burst.changes, _CHANGE)
    for word in range(count):
        if burst.last[word] == UNKNOWN:
            yield None
            continue
        own = changes[changes["word"] == word][["stack_id", "added", "removed", "hits"]]
        yield Mutated(burst.hits[word], burst.last[word], tuple(Change(*row) for row in own.tolist()))
