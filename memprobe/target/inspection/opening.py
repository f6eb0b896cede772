"""Take hold of a process for a whole run, as deep as the rights allow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from memprobe.errors import LayoutCheckFailed, NotPermitted
from memprobe.target.cpython.python import Python, attach_python
from memprobe.target.inspection import parts
from memprobe.target.inspection.document import TargetPart
from memprobe.target.inspection.evidence import Evidence, collect
from memprobe.target.memory.live import LiveMemory
from memprobe.target.proc.process import Process, open_process
from memprobe.vocab import Memory


@dataclass(frozen=True, slots=True)
class Opened:
    """A process that is held, and what runs in it."""

    process: Process

    python: Python | None
    """None at tier 0: its memory may not be read, or a layout check failed."""

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
        python, invisible = _python(memory, evidence)
        facts = parts.target_part(evidence, tier=0 if python is None else 1)
        yield Opened(process, python, facts, invisible)


def _python(memory: Memory | NotPermitted, evidence: Evidence) -> tuple[Python | None, tuple[str, ...]]:
    if isinstance(memory, NotPermitted):
        return None, (f"Python stacks and the collector: {memory.line}.",)
    try:
        python = attach_python(
            memory,
            evidence.runtimes[0],
            evidence.mappings,
            parts.os_threads(evidence),
            symbols=evidence.local_symbols,
        )
    except LayoutCheckFailed as failure:
        return None, (f"Python stacks and the collector: {failure.fact}.",)
    return python, tuple(python.invisible)
