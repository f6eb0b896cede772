"""Where batches come from: the kernel, /proc, a recording, a test."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from memprobe.vocab.batch import Batch


@runtime_checkable
class Source(Protocol):
    """Something that can be asked, tick by tick, what happened since it was last asked.

    Where several sources observe one run, the one with the events is asked first in every tick.
    """

    @property
    def name(self) -> str:
        """The name that its batches carry and that the report prints."""
        ...

    @property
    def tier(self) -> int:
        """The evidence tier that this source gives: 0, 1 or 2."""
        ...

    def start(self) -> None:
        """Begin to observe; raise a MemprobeError if that is not possible."""
        ...

    def poll(self) -> Batch | None:
        """Return what happened since the last call; None when there will be no more."""
        ...

    def close(self) -> None:
        """Stop observing and leave nothing behind. May be called twice."""
        ...


@runtime_checkable
class Settling(Protocol):
    """A source whose accounts are only closed now and then."""

    def settle(self) -> None:
        """Close them now; the next batch has what came of it."""
        ...


@runtime_checkable
class Engine(Source, Settling, Protocol):
    """The source of a run that sees the events themselves; it is asked several times a second."""

    @property
    def knows_python(self) -> bool:
        """Whether there is a process of which stacks can be taken."""
        ...

    @property
    def sees_processes(self) -> bool:
        """Whether fork, exec and exit are all in its batches; if not, those that /proc shows are told."""
        ...

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is time to poll, but not longer; True if there is news."""
        ...
