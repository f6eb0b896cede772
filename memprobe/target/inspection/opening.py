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
    UnknownVersion,
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
from memprobe.target.proc.procfs import size_bytes
from memprobe.vocab import Memory

UNSEEN = "Python stacks and the collector"

NOT_UNDERSTOOD = (LayoutCheckFailed, UnknownVersion)
"""Its memory may be read, but memprobe's layouts do not hold on it: another tool may know it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A process that is held, and what runs in it."""

    process: Process

    python: Python | None
    """None at tier 0: its memory may not be read, does not let itself be read, or is not understood."""

    obstacle: MemprobeError | None
    """Why there is no `python`: NotPermitted, TargetBlocksReading, or one of NOT_UNDERSTOOD."""

    evidence: Evidence
    """What is known of it beside its memory."""

    facts: TargetPart
    """Who it is, as `inspect` would say it."""

    unseen: tuple[str, ...]
    """What could not be seen from the beginning, as sentences."""

    patience: Patience | None
    """What bounds the reads of its memory, if anything does."""

    @property
    def invisible(self) -> tuple[str, ...]:
        """What cannot be seen, as sentences; in the course of a run there may be more."""
        count = self.patience.given_up if self.patience else 0
        if self.python is None or not count:
            return self.unseen
        return (*self.unseen, f"{UNSEEN}: {count} reads of its memory did not return in time.")

    def is_ending(self) -> bool:
        """Whether its program has ended, and its Python frees everything: that is no news of its leaks."""
        try:
            self.process.check()
            return self.python is not None and self.python.is_ending()
        except (MemprobeError, OSError):
            return False  # it was killed between the two, or may not be read any more: others say so


Found = tuple[Evidence, Python | MemprobeError]
"""What is known of a process, and its Python or why it cannot be seen."""


@contextmanager
def opened(pid: int, *, patient: bool = False, contents: bool = True) -> Iterator[Opened]:
    """Hold a process until the block ends; raises what `inspect` raises of one that cannot be looked into.

    A patient one gives up reads that do not return; who may be killed instead is quicker without. Who wants
    to look into its heap alone has no use for the `contents` of its facts: what it has open.
    """
    with ExitStack() as held:
        process = held.enter_context(open_process(pid))
        patience = Patience() if patient else None
        if patience:
            held.callback(patience.close)
        try:
            memory = held.enter_context(LiveMemory(process.id, process.pidfd))
        except NotPermitted as denied:
            evidence, python = _from_outside(process, denied)
        else:
            evidence, python = _looked_into(process, memory, patience, contents=contents)
        facts = parts.target_part(evidence, tier=1 if isinstance(python, Python) else 0)
        if isinstance(python, Python):
            yield Opened(process, python, None, evidence, facts, tuple(python.invisible), patience)
        else:
            yield Opened(process, None, python, evidence, facts, (_unseen(python),), patience)


def _looked_into(process: Process, live: LiveMemory, patience: Patience | None, *, contents: bool) -> Found:
    """Look at a process whose memory may be read; where that does not return, from outside."""
    if patience is None:
        evidence = collect(process, live, contents=contents, newer=True)
        return evidence, _python(live, evidence)
    memory = PatientMemory(live, patience)
    arguments = False
    try:
        patience.call(lambda: _try_arguments(process), FIRST_LIMIT_S)
        arguments = True
        evidence = collect(process, memory, contents=contents, newer=True)
        python = _python(memory, evidence)
    except (GaveUp, ReadFault, MemprobeError):
        if not patience.given_up:
            raise
    else:
        if not patience.given_up:
            memory.limit_s = LIMIT_S
            return evidence, python
    return _from_outside(process, _blocked(), arguments=arguments)


def _from_outside(process: Process, why: MemprobeError, *, arguments: bool = True) -> Found:
    return collect(process, why, arguments=arguments, newer=True), why


def _unseen(obstacle: MemprobeError) -> str:
    why = obstacle.fact if isinstance(obstacle, LayoutCheckFailed) else obstacle.line
    return f"{UNSEEN}: {why}."


def _try_arguments(process: Process) -> None:
    with suppress(NotPermitted):
        read_cmdline(process)


def _blocked() -> TargetBlocksReading:
    return TargetBlocksReading(
        "a read of its memory does not return (a userfaultfd handler or a hung file system holds it)",
        remedy="attach again when the target fills its pages again",
    )


def _python(memory: Memory, evidence: Evidence) -> Python | LayoutCheckFailed | UnknownVersion:
    try:
        return attach_python(
            memory,
            evidence.runtimes[0],
            evidence.mappings,
            parts.os_threads(evidence),
            symbols=evidence.local_symbols,
        )
    except NOT_UNDERSTOOD as failure:
        return failure


def resident_bytes(process: Process) -> int | None:
    """How much memory a process takes."""
    return size_bytes(process.folder.status().get("VmRSS"))
