"""asyncio's tasks: what memprobe sees from outside is what asyncio says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memprobe.heap.tasks.document import TaskPart, TasksDocument
from memprobe.heap.tasks.looking import look_at_tasks
from pythons import Interpreter, Target

ATTEMPTS = 20


def told(target: Target, what: str) -> Any:
    return json.loads(target.ask(what))


def still(target: Target) -> tuple[dict[int, dict[str, Any]], TasksDocument]:
    """What asyncio says and what memprobe sees, once the tasks stand still from one telling to the next."""
    before = told(target, "tasks")
    for _ in range(ATTEMPTS):
        document = look_at_tasks(target.pid)
        after = told(target, "tasks")
        if before == after:
            return {int(address): facts for address, facts in after.items()}, document
        before = after
    raise AssertionError(f"the tasks do not stand still:\n{target.errors()}")


def places(frames: list[list[Any]]) -> list[tuple[Any, ...]]:
    return [tuple(frame) for frame in frames]


def stack(task: TaskPart) -> list[tuple[Any, ...]]:
    return [(frame.function, frame.file, frame.line) for frame in task.frames]


def check(truth: dict[int, dict[str, Any]], document: TasksDocument) -> None:
    """Every task that asyncio knows, with its state, name, stack and the chain of its coroutines."""
    seen = {task.address: task for task in document.tasks}
    assert truth.keys() <= seen.keys(), {truth[one]["name"] for one in truth.keys() - seen.keys()}
    for address, facts in truth.items():
        task = seen[address]
        assert task.complete, facts
        assert task.state == facts["state"], facts
        assert facts["name"] in (None, task.name)
        assert stack(task) == places(facts["chain"] or facts["stack"]), facts
        if facts["state"] == "pending":
            assert stack(task)[-1:] == places(facts["stack"])
    assert document.evidence.torn_tasks == document.evidence.vanished_tasks == 0
    assert document.evidence.registries_complete


def test_hundreds_of_tasks(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "tasks_zoo.py") as target:
        truth, document = still(target)
        assert len(truth) > 200
        check(truth, document)


def test_what_came_with_3_11_and_later(interpreter: Interpreter, targets: Path) -> None:
    if interpreter.version < (3, 11):
        pytest.skip("no TaskGroup, no timeout(), no Barrier")
    with interpreter.spawn(targets / "tasks_new.py") as target:
        truth, document = still(target)
        assert len(truth) > 200
        check(truth, document)


def test_loops_in_threads_and_other_kinds_of_tasks(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "tasks_loops.py") as target:
        truth, document = still(target)
        assert len(truth) == 4 * 26 + 5
        check(truth, document)
        assert sorted(loop.thread or "" for loop in document.loops) == ["Derived", "Slotted", "Task", "Task"]
