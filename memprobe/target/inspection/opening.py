"""Take hold of a process for a whole run, as deep as the rights allow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from memprobe.errors import LayoutCheckFailed, MemprobeError, NotPermitted
from memprobe.target.cpython.python import Python, attach_python
from memprobe.target.inspection import parts
from memprobe.target.inspection.document import TargetPart
from memprobe.target.inspection.evidence import Evidence, collect
from memprobe.target.memory.live import LiveMemory
from memprobe.target.proc.process import Process, open_process
from memprobe.target.proc.procfs import size_bytes
from memprobe.vocab import Memory


@dataclass(frozen=True, slots=True)
class Opened:
    """A process that is held, and what runs in it."""

    process: Process

    python: Python | None
    """None at tier 0: its memory may not be read, or a layout check failed."""

    obstacle: MemprobeError | None
    """Why there is no `python`: NotPermitted or LayoutCheckFailed."""

    facts: TargetPart
    """Who it is, as `inspect` would say it."""

    invisible: tuple[str, ...]
    """What cannot be seen, as sentences."""


@contextmanager
def opened(pid: int) -> Iterator[Opened]:
    """Hold a process until the block ends; raises what `inspect` raises of one that cannot be looked into."""
    with ExitStack() as held:
        process = held.enter_context(open_process(pid))
        memory: LiveMemory | NotPermitted
        try:
            memory = held.enter_context(LiveMemory(process.id, process.pidfd))
        except NotPermitted as denied:
            memory = denied
        evidence = collect(process, memory)
        python = _python(memory, evidence)
        facts = parts.target_part(evidence, tier=1 if isinstance(python, Python) else 0)
        if isinstance(python, Python):
            yield Opened(process, python, None, facts, tuple(python.invisible))
        else:
            yield Opened(process, None, python, facts, (_unseen(python),))


def _python(memory: Memory | NotPermitted, evidence: Evidence) -> Python | MemprobeError:
    if isinstance(memory, NotPermitted):
        return memory
    try:
        return attach_python(
            memory,
            evidence.runtimes[0],
            evidence.mappings,
            parts.os_threads(evidence),
            symbols=evidence.local_symbols,
        )
    except LayoutCheckFailed as failure:
        return failure


def _unseen(obstacle: MemprobeError) -> str:
    why = obstacle.line if isinstance(obstacle, NotPermitted) else obstacle.fact
    return f"Python stacks and the collector: {why}."


def resident_bytes(process: Process) -> int | None:
    """How much memory a process takes."""
    return size_bytes(process.folder.status().get("VmRSS"))
