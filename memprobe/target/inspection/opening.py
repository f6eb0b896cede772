"""Take hold of a process for a whole run, as deep as the rights allow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from memprobe.errors import (
    LayoutCheckFailed,
    MemprobeError,
    NotPermitted,
    ReadFault,
    TargetBlocksReading,
)
from memprobe.target.cpython.python import Python, attach_python
from memprobe.target.inspection import parts
from memprobe.target.inspection.document import TargetPart
from memprobe.target.inspection.evidence import Evidence, collect
from memprobe.target.memory.live import LiveMemory
from memprobe.target.memory.patient import FIRST_LIMIT_S, LIMIT_S, PatientMemory
from memprobe.target.patience import GaveUp, Patience
from memprobe.target.proc.facts import read_cmdline
from memprobe.target.proc.process import Process, open_process
from memprobe.vocab import Memory

UNSEEN = "Python stacks and the collector"


@dataclass(frozen=True, slots=True)
class Opened:
    """A process that is held, and what runs in it."""

    process: Process

    python: Python | None
    """None at tier 0: its memory may not be read, does not let itself be read, or a layout check failed."""

    facts: TargetPart
    """Who it is, as `inspect` would say it."""

    unseen: tuple[str, ...]
    """What could not be seen from the beginning, as sentences."""

    patience: Patience

    @property
    def invisible(self) -> tuple[str, ...]:
        """What cannot be seen, as sentences; in the course of a run there may be more."""
        count = self.patience.given_up
        if self.python is None or not count:
            return self.unseen
        return (*self.unseen, f"{UNSEEN}: {count} reads of its memory did not return in time.")


Found = tuple[Evidence, Python | None, tuple[str, ...]]
"""What is known of a process, its Python, and what could not be seen."""


@contextmanager
def opened(pid: int) -> Iterator[Opened]:
    """Hold a process until the block ends; raises what `inspect` raises of one that cannot be looked into."""
    with ExitStack() as held:
        process = held.enter_context(open_process(pid))
        patience = Patience()
        held.callback(patience.close)
        try:
            memory = held.enter_context(PatientMemory(LiveMemory(process.id, process.pidfd), patience))
        except NotPermitted as denied:
            evidence, python, unseen = _from_outside(process, denied)
        else:
            evidence, python, unseen = _looked_into(process, memory)
            memory.limit_s = LIMIT_S
        facts = parts.target_part(evidence, tier=0 if python is None else 1)
        yield Opened(process, python, facts, unseen, patience)


def _looked_into(process: Process, memory: PatientMemory) -> Found:
    """Look at a process whose memory may be read; where that does not return, from outside."""
    arguments = False
    try:
        memory.patience.call(lambda: _try_arguments(process), FIRST_LIMIT_S)
        arguments = True
        evidence = collect(process, memory)
        python, unseen = _python(memory, evidence)
    except (GaveUp, ReadFault, MemprobeError):
        if not memory.given_up:
            raise
    else:
        if not memory.given_up:
            return evidence, python, unseen
    return _from_outside(process, _blocked(), arguments=arguments)


def _from_outside(process: Process, why: MemprobeError, *, arguments: bool = True) -> Found:
    return collect(process, why, arguments=arguments), None, (f"{UNSEEN}: {why.line}.",)


def _try_arguments(process: Process) -> None:
    with suppress(NotPermitted):
        read_cmdline(process)


def _blocked() -> TargetBlocksReading:
    return TargetBlocksReading(
        "a read of its memory does not return (a userfaultfd handler or a hung file system holds it)",
        remedy="attach again when the target fills its pages again",
    )


def _python(memory: Memory, evidence: Evidence) -> tuple[Python | None, tuple[str, ...]]:
    try:
        python = attach_python(
            memory,
            evidence.runtimes[0],
            evidence.mappings,
            parts.os_threads(evidence),
            symbols=evidence.local_symbols,
        )
    except LayoutCheckFailed as failure:
        return None, (f"{UNSEEN}: {failure.fact}.",)
    return python, tuple(python.invisible)
