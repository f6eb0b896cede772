"""Who awaits whom, as a tree: a task above those that it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from memprobe.heap.tasks.document import TaskPart
from memprobe.views.page import Column, Notes, Section, Table
from memprobe.views.tasks_words import innermost, own_place, state_of

MAXIMUM_LINES = 2_000
MAXIMUM_DEPTH = 60
"""Deeper the lines would leave the screen."""

_INDENT = "  "


def tree(tasks: Sequence[TaskPart]) -> Iterator[Section]:
    """A section with every task: those that nobody awaits at the left."""
    by_address = {task.address: task for task in tasks}
    roots = [task for task in tasks if not any(one in by_address for one in task.awaited_by)]
    lines: list[tuple[str, ...]] = []
    shown: set[int] = set()
    _add(lines, shown, roots, by_address)
    # What is left awaits itself in a circle: a deadlock, which has no root.
    while len(lines) < MAXIMUM_LINES and (rest := [task for task in tasks if task.address not in shown]):
        _add(lines, shown, rest[:1], by_address, mark=" (in a circle of tasks that await each other)")
    columns = (
        Column("task", stretches=True),
        Column("state"),
        Column("coroutine"),
        Column("waits at", stretches=True),
        Column("in", stretches=True),
    )
    blocks: list[Table | Notes] = [Table(columns, tuple(lines[:MAXIMUM_LINES]))]
    left = len(tasks) - len(shown)
    if left or len(lines) > MAXIMUM_LINES:
        blocks.append(Notes(("the tree is longer than what is shown; --json has all",)))
    yield Section("tasks, each above those that it awaits", tuple(blocks))


def _add(
    lines: list[tuple[str, ...]],
    shown: set[int],
    roots: Sequence[TaskPart],
    by_address: Mapping[int, TaskPart],
    mark: str = "",
) -> None:
    """Append a line for each task and, below it, for those that it awaits; nothing recurses."""
    pending = [(task, 0, mark) for task in reversed(roots)]
    while pending and len(lines) <= MAXIMUM_LINES:
        task, depth, note = pending.pop()
        if task.address in shown:
            lines.append((f"{_INDENT * depth}{_name(task)} (see above)", "", "", "", ""))
            continue
        shown.add(task.address)
        lines.append(_line(task, depth, note))
        below = [by_address[one] for one in reversed(task.awaits) if one in by_address]
        pending += [(one, min(depth + 1, MAXIMUM_DEPTH), "") for one in below]


def _name(task: TaskPart) -> str:
    return task.name or hex(task.address)


def _line(task: TaskPart, depth: int, note: str) -> tuple[str, ...]:
    name = f"{_INDENT * depth}{_name(task)}{note}"
    return name, state_of(task), task.coroutine or "", own_place(task), innermost(task)
