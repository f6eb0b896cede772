"""Look at the tasks of a process: once, or twice to tell the old from the new."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from memprobe.heap.reaching import reached
from memprobe.heap.tasks.assembly import Assembly, aged
from memprobe.heap.tasks.document import EvidencePart, TaskPart, TasksDocument
from memprobe.heap.tasks.futures import future_parts
from memprobe.heap.tasks.look import Look, Looker
from memprobe.heap.tasks.search import Search
from memprobe.target.cpython.python import Python
from memprobe.target.inspection import parts
from memprobe.target.inspection.evidence import with_threads_of_now
from memprobe.target.inspection.opening import Opened
from memprobe.target.proc.process import Process

PROGRESS_S = 0.05
"""How long this sleeps at once between two looks, so that the end of the target is noticed."""


def look_at_tasks(pid: int, *, between_s: float = 0.0, search: bool = True) -> TasksDocument:
    """Look at a process twice, `between_s` seconds apart, or once if that is 0.

    `search` searches its memory for futures and tasks that no registry knows. Raises NotPermitted and the
    like: without its memory there is nothing to show.
    """
    with reached(pid) as target:
        python = target.python
        if python is None:
            assert target.obstacle is not None
            raise target.obstacle
        looker = Looker(python, Search(target.process, python.objects.memory) if search else None)
        first = looker.look()
        known = {part.address: part for part in Assembly(looker, first).tasks()} if between_s else {}
        look = _look_again(target.process, looker, between_s) if between_s else first
        document = _document(target, looker, look)
        target.process.check()
    if not between_s:
        return document
    apart = look.at - first.at
    return _compared(document, known, apart)


def _look_again(process: Process, looker: Looker, between_s: float) -> Look:
    end = time.monotonic() + between_s
    while (left := end - time.monotonic()) > 0:
        process.check()
        time.sleep(min(PROGRESS_S, left))
    return looker.look()


def _document(target: Opened, looker: Looker, look: Look) -> TasksDocument:
    assembly = Assembly(looker, look)
    tasks = tuple(assembly.tasks())
    evidence = with_threads_of_now(target.process, target.evidence)
    return TasksDocument(
        created_at=target.evidence.created_at,
        target=target.facts,
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
        invisible=tuple(invisible_parts(looker.python, look)),
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
