"""Tracing by ptrace: the C core, and the words for what it says in numbers."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from memprobe.native._trace import Tracer

__all__ = ["Counts", "End", "Outcome", "Tracer"]


class End(IntEnum):
    """Why a window is over: enum trace_end of trace_shared.h."""

    GOES_ON = 0
    SPENT = 1
    """What it may cost the target is used up."""

    STANDS = 2
    """Somebody has stopped the target."""

    GONE = 3
    """There is no thread left."""

    REFUSED = 4
    UNSUPPORTED = 5
    """The kernel does not say which system call it is."""

    UNATTENDED = 6
    HUNG = 7


class Outcome(NamedTuple):
    """What became of the last window."""

    end: int
    errno: int
    thread: int
    """The one that was refused."""

    reached: int
    """Threads that are traced, or were."""


class Counts(NamedTuple):
    """Sums over all windows."""

    stops: int
    stopped_ns: int
    longest_ns: int
    calls: int
    restarted: int
    cpu_ns: int
    """Of the tracer of this window."""
