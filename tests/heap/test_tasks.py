"""asyncio's tasks: what memprobe sees from outside is what asyncio says of itself."""

from __future__ import annotations

import json
import sysconfig
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from memprobe.heap.tasks.document import TaskPart, TasksDocument
from memprobe.heap.tasks.looking import look_at_tasks
from patience import TRIES, until
from pythons import Interpreter, Target, own

LOOKS = 15


def told(target: Target, what: str) -> Any:
    return json.loads(target.ask(what))


def still(target: Target) -> tuple[dict[int, dict[str, Any]], TasksDocument]:
    """What asyncio says and what memprobe sees, once the tasks stand still from one telling to the next."""

    def stand() -> tuple[Any, TasksDocument] | None:
        before = told(target, "tasks")
        document = look_at_tasks(target.pid)
        after = told(target, "tasks")
        return (after, document) if before == after else None

    facts, document = until(stand) or ({}, None)
    assert document is not None
    return {int(address): of_task for address, of_task in facts.items()}, document


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
        # From 3.14 on all_tasks() does not know those in pure Python; they are in a registry of their own.
        assert len(truth) == 4 * 26 + 5 - (50 if interpreter.version >= (3, 14) else 0)
        check(truth, document)
        assert sorted(loop.thread or "" for loop in document.loops) == ["Derived", "Slotted", "Task", "Task"]
        assert len(document.tasks) == 4 * 26 + 5


def test_who_awaits_whom(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "tasks_awaits.py") as target:
        addresses, expected = told(target, "expected")
        document = look_at_tasks(target.pid)
        names = {address: name for name, address in addresses.items()}
        awaits = {names[task.address]: task.awaits for task in document.tasks if task.address in names}
        seen = {
            name: sorted(names.get(one, "?") for one in awaited)
            for name, awaited in awaits.items()
            if awaited
        }
        assert seen == {name: sorted(awaited) for name, awaited in expected.items()}
        awaited_by = {
            names[task.address]: [names.get(one) for one in task.awaited_by]
            for task in document.tasks
            if task.awaited_by
        }
        assert awaited_by == {child: [parent] for parent, children in expected.items() for child in children}


def test_timers_and_ready_callbacks(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "tasks_timers.py") as target:
        (timers,), (ready,) = told(target, "timers"), told(target, "ready")
        before_s = time.monotonic()
        (loop,) = look_at_tasks(target.pid).loops
        after_s = time.monotonic()
    assert loop.running
    assert loop.thread == "MainThread"
    assert loop.timers == len(loop.scheduled) == len(timers) > 1_400
    assert loop.timers_cancelled == sum(cancelled for _, _, cancelled in timers) == 50
    live = Counter(name for name, _, cancelled in timers if not cancelled)
    assert Counter(one.callback for one in loop.scheduled if not one.cancelled) == live
    for one, when in zip(loop.scheduled, sorted(when for _, when, _ in timers), strict=True):
        assert one.due_in_s is not None
        rough = 0.1 + 1e-12 * when  # some are due in eternity
        assert when - after_s - rough < one.due_in_s < when - before_s + rough
    assert loop.ready == len(loop.callbacks) == len(ready) == 13
    assert [one.callback for one in loop.callbacks] == [name for name, _, _ in ready]
    assert sum(len(one.tasks) for one in loop.callbacks) == 1  # the first step of a task


def test_executors_and_forgotten_futures(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "tasks_executors.py") as target:
        document = look_at_tasks(target.pid)
    executors = {part.name_prefix: part for part in document.executors}
    busy, idle, gone = executors["busy"], executors["idle"], executors[None]
    assert (busy.workers, busy.maximum_workers, busy.idle, busy.queued) == (3, 3, 0, 47)
    assert {work.callback.rpartition(".")[2]: work.count for work in busy.work} == {"work": 37, "method": 10}
    assert (idle.queued, idle.work, idle.shut_down) == (0, (), False)
    assert 1 <= (idle.idle or 0) <= idle.workers <= 4
    threads = {thread.thread_id: thread.name for thread in document.threads}
    assert sorted(threads[one] or "" for one in busy.thread_ids) == ["busy_0", "busy_1", "busy_2"]
    assert (gone.address, gone.workers, gone.queued) == (None, 2, 3)
    pending = sum(part.never_awaited for part in document.futures if part.state == "pending")
    failed = [part for part in document.futures if part.never_retrieved]
    assert (pending, [(part.never_retrieved, part.exceptions) for part in failed]) == (
        17,
        [(5, ("ValueError",))],
    )
    lost = [task for task in document.tasks if task.never_retrieved]
    assert [task.exception for task in lost] == ["KeyError"] * 6
    assert {(task.frames[0].function, task.frames[0].line) for task in lost} == {("fails", 8)}


def test_a_second_look_tells_the_old_from_the_new(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "tasks_busy.py") as target:
        # Where the target gets on between the looks, nothing but what stays is there in both.
        tries = (look_at_tasks(target.pid, between_s=0.3 * (1 + number)) for number in range(TRIES))
        document = next(one for one in tries if not any(map(is_old_and_short, one.tasks)))
    old = [task for task in document.tasks if task.coroutine == "stays"]
    assert len(old) == 200
    assert {(task.age, task.moved) for task in old} == {("older", False)}
    assert all((task.age_at_least_s or 0) >= 0.3 for task in old)
    assert document.evidence.looks == 2


def is_old_and_short(task: TaskPart) -> bool:
    return task.coroutine == "short" and task.age == "older"


@pytest.mark.few_interpreters
def test_a_busy_target(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "tasks_busy.py") as target:
        for _ in range(LOOKS):
            document = look_at_tasks(target.pid, search=False)
            staying = [task for task in document.tasks if task.coroutine == "stays"]
            # A list that would not hold still may be short of some, but says so.
            assert len(staying) == 200 or not document.evidence.registries_complete
            assert {task.complete for task in staying} <= {True}
            assert {stack(task)[0][0] for task in staying} == {"sleep"}
            assert document.evidence.torn_tasks < 200


def test_tasks_that_run(interpreter: Interpreter, targets: Path) -> None:
    """What runs stands on the stack of a thread: its frames there, down to the coroutine of the task."""
    with interpreter.spawn(targets / "tasks_running.py") as target:
        until(lambda: told(target, "running")[0][0] == "blocks")
        on_stack = places(told(target, "running"))
        document = look_at_tasks(target.pid)
    tasks = {task.coroutine: task for task in document.tasks}
    running = {name for name, task in tasks.items() if task.running}
    # An eager task begins within the step of the task that makes it, and that one within the first one's.
    eager = {"outer", "main"} if interpreter.version >= (3, 12) else set()
    assert running == {"begun"} | eager
    assert tasks["waits"].waits_for is not None
    for name in running:
        own = [frame for frame in stack(tasks[name or ""]) if "threading" not in frame[1]]
        last = max(index for index, place in enumerate(on_stack) if place[0] == name)
        assert own == on_stack[: last + 1]
        assert tasks[name or ""].thread_id == document.loops[0].thread_id


def test_several_interpreters(interpreter: Interpreter, targets: Path) -> None:
    if interpreter.version < (3, 12):
        pytest.skip("the C module knows one running loop for all interpreters, and refuses a second one")
    with interpreter.spawn(targets / "tasks_subinterpreters.py") as target:
        document = look_at_tasks(target.pid)
    waiting = Counter((task.interpreter, task.coroutine) for task in document.tasks)
    (main, other) = sorted({number for number, _ in waiting})
    assert waiting == {(main, "outside"): 5, (main, "main"): 1, (other, "inside"): 7, (other, "main"): 1}
    assert [(loop.interpreter, loop.running, loop.timers) for loop in document.loops] == [
        (main, True, 5),
        (other, True, 7),
    ]


def test_uvloop(targets: Path) -> None:
    pytest.importorskip("uvloop", reason="uvloop is not installed beside the tests", exc_type=ImportError)
    folder = Path(sysconfig.get_paths()["platlib"])
    with own().spawn(targets / "tasks_uvloop.py", str(folder)) as target:
        truth, document = still(target)
    assert len(truth) == 24
    check(truth, document)
    (loop,) = document.loops
    assert (loop.running, loop.thread, loop.timers, loop.ready) == (True, "MainThread", None, None)
    assert any("uvloop" in sentence for sentence in document.invisible)
