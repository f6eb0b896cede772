"""Tracing by ptrace: the C core, and the words for what it says in numbers."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from memprobe.native._trace import Tracer

__all__ = ["Burst", "Counts", "End", "Outcome", "Prices", "Tracer"]


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
    SEEN = 8
    """The burst that it was for is over."""


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

    watched_ns: int
    """Of stopped_ns: what bursts have cost."""


class Prices(NamedTuple):
    """What a thread loses by a stop beside the time that the tracer takes, as measured on this machine."""

    stop_ns: int
    """0 before the first window."""

    hit_ns: int
    """By a write to a word that is watched; 0 before the first burst."""

    errno: int
    """Why such writes cannot be seen; 0 if they can."""


class Burst(NamedTuple):
    """What a burst has shown."""

    begin_ns: int
    end_ns: int
    errno: int
    """Not 0: nothing could be seen."""

    hits: tuple[int, int]
    """By word."""

    last: tuple[int, int]
    """The words at its end; all ones if that is not known."""

    changes: bytes
    """u64 each: stack, added, removed, hits, index of the word."""
