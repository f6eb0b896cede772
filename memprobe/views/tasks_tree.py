"""Who awaits whom, as a tree: a task above those that it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from memprobe.heap.tasks.document import TaskPart
from memprobe.views.page import Column, Notes, Section, Table
from memprobe.views.tasks_words import innermost, own_place, state_of

MAXIMUM_LINES = 2_000
MAXIMUM_DEPTH = 60
"""Deeper the lines would leave the screen."""

FEWEST_ALIKE = 4
"""So many tasks that await nothing at the same line are shown as one."""

_INDENT = "  "


def tree(tasks: Sequence[TaskPart]) -> Iterator[Section]:
    """A section with every task: those that nobody awaits at the left."""
    by_address = {task.address: task for task in tasks}
    roots = [task for task in tasks if not any(one in by_address for one in task.awaited_by)]
    lines: list[tuple[str, ...]] = []
    shown: set[int] = set()
    _add(lines, shown, roots, by_address)
    # What is left awaits itself in a circle: a deadlock, which has no root.
    for task in tasks:
        if task.address not in shown:
            _add(lines, shown, [task], by_address, mark=" (in a circle of tasks that await each other)")
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
    pending = [(task, 0, note + mark) for task, note in _alike(roots, shown)]
    while pending and len(lines) <= MAXIMUM_LINES:
        task, depth, note = pending.pop()
        if task.address in shown:
            lines.append((f"{_INDENT * depth}{_name(task)} (see above)", "", "", "", ""))
            continue
        shown.add(task.address)
        lines.append(_line(task, depth, note))
        below = [by_address[one] for one in task.awaits if one in by_address]
        pending += [(one, min(depth + 1, MAXIMUM_DEPTH), more) for one, more in _alike(below, shown)]


def _alike(tasks: Sequence[TaskPart], shown: set[int]) -> list[tuple[TaskPart, str]]:
    """Tasks beside one another, the last one first; many that await nothing at the same line are one."""
    groups: dict[tuple[object, ...], list[TaskPart]] = {}
    for task in tasks:
        awaits_nothing = not task.awaits and task.address not in shown
        alike = (state_of(task), task.coroutine, own_place(task), innermost(task))
        groups.setdefault(alike if awaits_nothing else (task.address,), []).append(task)
    found: list[tuple[TaskPart, str]] = []
    for group in groups.values():
        if len(group) < FEWEST_ALIKE:
            found += [(task, "") for task in group]
        else:
            shown.update(task.address for task in group[1:])
            found.append((group[0], f" and {len(group) - 1:,} like it"))
    return found[::-1]


def _name(task: TaskPart) -> str:
    return task.name or hex(task.address)


def _line(task: TaskPart, depth: int, note: str) -> tuple[str, ...]:
    name = f"{_INDENT * depth}{_name(task)}{note}"
    return name, state_of(task), task.coroutine or "", own_place(task), innermost(task)
