"""The page of `memprobe tasks`: which tasks there are, where they wait, and what waits beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from memprobe.heap.tasks.document import (
    ExecutorPart,
    FuturePart,
    HandlePart,
    LoopPart,
    TaskPart,
    TasksDocument,
)
from memprobe.target.inspection.document import FramePart, ThreadPart
from memprobe.views.page import Column, Facts, Notes, Page, Section, Table
from memprobe.views.quantities import UNKNOWN, count
from memprobe.views.tasks_tree import tree
from memprobe.views.tasks_words import NOTHING, age_of, innermost, own_place, place, state_of

ROWS_SHOWN = 30
"""Rows of one table; the JSON document has all."""

NAMES_SHOWN = 3


def page(document: TasksDocument, *, as_tree: bool, stacks: bool) -> Page:
    """Everything that a person wants to see; who awaits whom, and whole stacks, only if asked for."""
    sections = [
        *(tree(document.tasks) if as_tree else _kinds(document.tasks)),
        *_loops(document.loops),
        *_callbacks("timers", [part for loop in document.loops for part in loop.scheduled]),
        *_callbacks("ready callbacks", [part for loop in document.loops for part in loop.callbacks]),
        *_futures(document.futures),
        *_executors(document.executors),
        *_threads(document.threads),
        *(_stacks(document) if stacks else ()),
        *_invisible(document),
    ]
    return Page(_verdict(document), tuple(sections))


def _verdict(document: TasksDocument) -> str:
    states = Counter(task.state or "unknown" for task in document.tasks)
    failed = sum(task.never_retrieved for task in document.tasks)
    facts = [f"{states[name]:,} {name}" for name in ("pending", "finished", "cancelled", "unknown")]
    facts = [fact for fact in facts if not fact.startswith("0 ")]
    facts += [f"{failed:,} failed and nobody has asked why"] if failed else []
    facts += [count(sum(loop.timers or 0 for loop in document.loops), "timer")]
    head = f"pid {document.target.pid} (CPython {document.target.python or UNKNOWN}) has"
    tasks = f"{count(len(document.tasks), 'task')} in {count(len(document.loops), 'loop')}"
    return f"{head} {tasks}: {', '.join(facts)}"


def _kinds(tasks: Sequence[TaskPart]) -> Iterator[Section]:
    """Tasks that wait at the same place are one row."""
    if not tasks:
        yield Section("tasks", (Notes(("asyncio knows of no task in this process",)),))
        return
    groups: dict[tuple[object, ...], list[TaskPart]] = {}
    for task in tasks:
        groups.setdefault(_kind(task), []).append(task)
    rows = sorted(groups.values(), key=len, reverse=True)
    columns = (
        Column("tasks", right=True),
        Column("state"),
        Column("coroutine", stretches=True),
        Column("waits at", stretches=True),
        Column("in", stretches=True),
        Column("age"),
        Column("names", stretches=True),
    )
    table = Table(columns, tuple(_kind_row(group) for group in rows[:ROWS_SHOWN]))
    yield Section("tasks, by what they run and where they wait", (table, *_more(len(rows), "kinds of tasks")))


def _kind(task: TaskPart) -> tuple[object, ...]:
    return state_of(task), task.coroutine, own_place(task), innermost(task), task.age, task.moved


def _kind_row(group: Sequence[TaskPart]) -> tuple[str, ...]:
    task = group[0]
    names = ", ".join(one.name or hex(one.address) for one in group[:NAMES_SHOWN])
    names += f" and {len(group) - NAMES_SHOWN:,} more" if len(group) > NAMES_SHOWN else ""
    runs = task.coroutine or UNKNOWN
    return (f"{len(group):,}", state_of(task), runs, own_place(task), innermost(task), age_of(task), names)


def _loops(loops: Sequence[LoopPart]) -> Iterator[Section]:
    if not loops:
        return
    columns = (
        Column("loop", stretches=True),
        Column("state"),
        Column("thread"),
        *(Column(name, right=True) for name in ("tasks", "timers", "cancelled", "ready")),
    )
    rows = tuple(_loop(loop) for loop in loops[:ROWS_SHOWN])
    yield Section("loops", (Table(columns, rows), *_more(len(loops), "loops")))


def _loop(loop: LoopPart) -> tuple[str, ...]:
    state = "running" if loop.running else "closed" if loop.closed else "not running"
    numbers = (loop.tasks, loop.timers, loop.timers_cancelled, loop.ready)
    thread = loop.thread or (str(loop.tid) if loop.tid else NOTHING)
    return (loop.type, state, thread, *(UNKNOWN if one is None else f"{one:,}" for one in numbers))


def _callbacks(title: str, handles: Sequence[HandlePart]) -> Iterator[Section]:
    if not handles:
        return
    groups: dict[tuple[str, bool], list[HandlePart]] = {}
    for handle in handles:
        groups.setdefault((handle.callback, handle.cancelled), []).append(handle)
    rows = sorted(groups.items(), key=lambda item: -len(item[1]))
    columns = (Column("count", right=True), Column("callback", stretches=True), Column("due"), Column("for"))
    cells = tuple(_callback(name, cancelled, group) for (name, cancelled), group in rows[:ROWS_SHOWN])
    yield Section(title, (Table(columns, cells), *_more(len(rows), "callbacks")))


def _callback(name: str, cancelled: bool, group: Sequence[HandlePart]) -> tuple[str, ...]:
    tasks = len({task for handle in group for task in handle.tasks})
    due = [handle.due_in_s for handle in group if handle.due_in_s is not None]
    when = (
        NOTHING
        if not due
        else f"{min(due):,.1f} s"
        if len(due) == 1
        else f"{min(due):,.1f} to {max(due):,.1f} s"
    )
    label = f"{name or UNKNOWN} (cancelled)" if cancelled else name or UNKNOWN
    return (f"{len(group):,}", label, when, count(tasks, "task") if tasks else NOTHING)


def _futures(futures: Sequence[FuturePart]) -> Iterator[Section]:
    if not futures:
        return
    columns = (
        Column("futures", right=True),
        Column("type", stretches=True),
        Column("state"),
        Column("never awaited", right=True),
        Column("never retrieved", right=True),
        Column("exceptions", stretches=True),
    )
    rows = tuple(
        (
            f"{part.count:,}",
            part.type,
            part.state or UNKNOWN,
            f"{part.never_awaited:,}",
            f"{part.never_retrieved:,}",
            ", ".join(part.exceptions),
        )
        for part in futures[:ROWS_SHOWN]
    )
    yield Section(
        "futures that are no tasks", (Table(columns, rows), *_more(len(futures), "kinds of futures"))
    )


def _executors(executors: Sequence[ExecutorPart]) -> Iterator[Section]:
    if not executors:
        return
    columns = (
        Column("executor", stretches=True),
        Column("workers", right=True),
        Column("idle", right=True),
        Column("queued", right=True),
        Column("waiting work", stretches=True),
    )
    rows = tuple(_executor(part) for part in executors[:ROWS_SHOWN])
    yield Section("executors", (Table(columns, rows), *_more(len(executors), "executors")))


def _executor(part: ExecutorPart) -> tuple[str, ...]:
    name = (part.type or "gone, its threads are left").rpartition(".")[2]
    label = f"{name} {part.name_prefix}" if part.name_prefix else name
    workers = f"{part.workers} of {part.maximum_workers}" if part.maximum_workers else str(part.workers)
    work = ", ".join(f"{item.count:,} {item.callback}" for item in part.work[:NAMES_SHOWN])
    numbers = (part.idle, part.queued)
    return (label, workers, *(UNKNOWN if one is None else f"{one:,}" for one in numbers), work)


def _threads(threads: Sequence[ThreadPart]) -> Iterator[Section]:
    shown = [thread for thread in threads if thread.thread_id is not None]
    columns = (
        Column("tid", right=True),
        Column("name"),
        Column("runs", stretches=True),
        Column("at", stretches=True),
    )
    rows = tuple(
        (
            str(thread.tid or "?"),
            thread.name or thread.os_name or UNKNOWN,
            thread.frames[0].function if thread.frames else NOTHING,
            place(thread.frames[0]) if thread.frames else NOTHING,
        )
        for thread in shown[:ROWS_SHOWN]
    )
    if rows:
        yield Section("threads", (Table(columns, rows), *_more(len(shown), "threads")))


def _stacks(document: TasksDocument) -> Iterator[Section]:
    """The whole stack of every task and thread, the innermost frame first."""
    for task in document.tasks:
        if task.frames:
            yield Section(f"task {task.name or hex(task.address)}, {state_of(task)}", (_stack(task.frames),))
    for thread in document.threads:
        if thread.frames:
            yield Section(
                f"thread {thread.tid or '?'} {thread.name or thread.os_name or ''}", (_stack(thread.frames),)
            )


def _stack(frames: Iterable[FramePart]) -> Table:
    columns = (Column("function", stretches=True), Column("at", stretches=True))
    rows = ((frame.function, f"{frame.file}:{frame.line}" if frame.line else frame.file) for frame in frames)
    return Table(columns, tuple(rows))


def _more(total: int, what: str) -> Iterator[Facts | Table | Notes]:
    if total > ROWS_SHOWN:
        yield Notes((f"and {total - ROWS_SHOWN:,} more {what}; --json has all",))


def _invisible(document: TasksDocument) -> Iterator[Section]:
    evidence, sentences = document.evidence, list(document.invisible)
    if evidence.torn_tasks:
        sentences.append(f"{count(evidence.torn_tasks, 'task')} changed while they were read: torn.")
    if evidence.vanished_tasks:
        sentences.append(f"{count(evidence.vanished_tasks, 'task')} had gone before they could be read.")
    if sentences:
        yield Section("not visible", (Notes(tuple(sentences)),))
