"""Look at the tasks of a process: once, or twice to tell the old from the new."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from memprobe.errors import NotPermitted
from memprobe.heap.tasks.assembly import Assembly, aged
from memprobe.heap.tasks.document import EvidencePart, TaskPart, TasksDocument
from memprobe.heap.tasks.futures import future_parts
from memprobe.heap.tasks.look import Look, Looker
from memprobe.heap.tasks.search import Search
from memprobe.target.cpython.python import Python, attach_python
from memprobe.target.inspection import parts
from memprobe.target.inspection.evidence import Evidence, collect, with_threads_of_now
from memprobe.target.memory.live import LiveMemory
from memprobe.target.proc.process import Process, open_process

PROGRESS_S = 0.05
"""How long this sleeps at once between two looks, so that the end of the target is noticed."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A process whose memory may be read and was understood."""

    process: Process
    evidence: Evidence
    python: Python


def look_at_tasks(pid: int, *, between_s: float = 0.0, search: bool = True) -> TasksDocument:
    """Look at a process twice, `between_s` seconds apart, or once if that is 0.

    `search` searches its memory for futures and tasks that no registry knows. Raises NotPermitted and the
    like: without its memory there is nothing to show.
    """
    with _opened(pid) as opened:
        searching = Search(opened.process, opened.python.objects.memory) if search else None
        looker = Looker(opened.python, searching)
        first = looker.look()
        known = {part.address: part for part in Assembly(looker, first).tasks()} if between_s else {}
        look = _look_again(opened, looker, between_s) if between_s else first
        document = _document(opened, looker, look)
        opened.process.check()
    if not between_s:
        return document
    apart = look.at - first.at
    return _compared(document, known, apart)


def _look_again(opened: Opened, looker: Looker, between_s: float) -> Look:
    end = time.monotonic() + between_s
    while (left := end - time.monotonic()) > 0:
        opened.process.check()
        time.sleep(min(PROGRESS_S, left))
    return looker.look()


def _document(opened: Opened, looker: Looker, look: Look) -> TasksDocument:
    assembly = Assembly(looker, look)
    tasks = tuple(assembly.tasks())
    evidence = with_threads_of_now(opened.process, opened.evidence)
    return TasksDocument(
        created_at=opened.evidence.created_at,
        target=parts.target_part(opened.evidence, tier=1),
        tasks=tasks,
        loops=tuple(assembly.loops()),
        futures=tuple(future_parts(looker, look)),
        executors=tuple(assembly.executors()),
        threads=parts.merged_threads(evidence, look.threads),
        evidence=EvidencePart(
            looks=1,
            between_looks_s=None,
            torn_tasks=sum(not task.complete for task in tasks),
            vanished_tasks=sum(one.vanished for one in look.interpreters),
            registries_complete=all(one.registries_complete for one in look.interpreters),
            searched_mb=_searched_mb(look),
        ),
        invisible=tuple(invisible_parts(opened.python, look)),
    )


def invisible_parts(python: Python, look: Look) -> Iterator[str]:
    """What was not seen, and why."""
    yield from python.invisible
    for one in look.interpreters:
        if not one.layout_holds:
            yield (
                "asyncio's tasks: the layout check 'asyncio tasks' failed (most of them have no state or no "
                "loop where this version keeps them), so none is shown."
            )
        if not one.registries_complete:
            yield "A list of tasks changed at every attempt to read it: some of them may be missing."
        if one.found is None or not one.found.complete:
            yield (
                "Futures that no task waits for, and tasks that have ended: the memory was not searched "
                "to its end, it is too large."
            )
        for loop in one.loops:
            if loop.timers_total is None:
                yield f"The timers and ready callbacks of a loop of type {loop.type}: it keeps them in C."
            for what, total, listed in (
                ("timers", loop.timers_total, loop.timers),
                ("ready callbacks", loop.ready_total, loop.ready),
            ):
                if (total or 0) > len(listed):
                    yield f"{(total or 0) - len(listed):,} {what} of a loop are counted but not listed."


def _searched_mb(look: Look) -> float | None:
    """How much memory was looked through, in units of 2**20 bytes."""
    sizes = [one.found.searched_bytes for one in look.interpreters if one.found is not None]
    return round(sum(sizes) / (1 << 20), 3) if sizes else None


def _compared(document: TasksDocument, known: Mapping[int, TaskPart], apart_s: float) -> TasksDocument:
    """The document of a second look, with what the first one tells of the age of its tasks."""
    return replace(
        document,
        tasks=tuple(aged(known, task, apart_s) for task in document.tasks),
        evidence=replace(document.evidence, looks=2, between_looks_s=round(apart_s, 3)),
    )


@contextmanager
def _opened(pid: int) -> Iterator[Opened]:
    """Hold a process whose memory may be read until the block ends."""
    with ExitStack() as held:
        process = held.enter_context(open_process(pid))
        held.enter_context(_gone_said_so(process))
        memory: LiveMemory | NotPermitted
        try:
            memory = held.enter_context(LiveMemory(process.id, process.pidfd))
        except NotPermitted as denied:
            memory = denied
        evidence = collect(process, memory)  # what is no Python at all is said before a missing right
        if isinstance(memory, NotPermitted):
            raise memory
        python = attach_python(
            memory,
            evidence.runtimes[0],
            evidence.mappings,
            parts.os_threads(evidence),
            symbols=evidence.local_symbols,
            machine=evidence.machine,
        )
        yield Opened(process, evidence, python)


@contextmanager
def _gone_said_so(process: Process) -> Iterator[None]:
    """Turn ESRCH of any file in /proc into words: a process gives up its files before it is a zombie."""
    try:
        yield
    except ProcessLookupError:
        raise process.folder.ended() from None
