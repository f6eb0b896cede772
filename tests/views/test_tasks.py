"""The page of tasks and their tree, on made-up data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from memprobe.heap.tasks.document import EvidencePart, HandlePart, LoopPart, TaskPart, TasksDocument
from memprobe.target.inspection.document import FramePart
from memprobe.views import plain, terminal
from memprobe.views.tasks import ROWS_SHOWN, page
from memprobe.views.tasks_tree import MAXIMUM_LINES
from views.hostile import HOSTILE
from views.made_up import INSPECTION

FRAMES = (
    FramePart("sleep", "/usr/lib/python3.11/asyncio/tasks.py", 649),
    FramePart("Client.poll", "/srv/app/client.py", 31),
    FramePart("run", "/srv/app/main.py", 7),
)
TASK = TaskPart(
    address=0x7F00,
    interpreter=0,
    name="Task-1",
    type="_asyncio.Task",
    state="pending",
    running=False,
    cancel_requested=False,
    exception=None,
    never_retrieved=False,
    loop=0x8000,
    thread_id=1,
    coroutine="run",
    frames=FRAMES,
    complete=True,
    waits_for=None,
    awaits=(),
    awaited_by=(),
)
LOOP = LoopPart(
    address=0x8000,
    interpreter=0,
    type="app.Loop",
    running=True,
    thread_id=1,
    tid=17,
    thread="MainThread",
    closed=False,
    debug=False,
    tasks=1,
    timers=2,
    timers_cancelled=0,
    scheduled=(HandlePart("app.tick", 1.5, False, ()), HandlePart("app.tick", 9.0, False, (0x7F00,))),
    ready=0,
    callbacks=(),
    default_executor=None,
)
DOCUMENT = TasksDocument(
    created_at=INSPECTION.created_at,
    target=INSPECTION.target,
    tasks=(TASK,),
    loops=(LOOP,),
    futures=(),
    executors=(),
    threads=(),
    evidence=EvidencePart(1, None, 0, 0, True, 1.0),
    invisible=(),
)


def named(number: int, *awaits: int, awaited_by: tuple[int, ...] = ()) -> TaskPart:
    return replace(TASK, address=number, name=f"t{number}", awaits=awaits, awaited_by=awaited_by)


def text(tasks: tuple[TaskPart, ...], *, as_tree: bool = False) -> str:
    return plain.paint(page(replace(DOCUMENT, tasks=tasks), as_tree=as_tree, stacks=False))


def rows(tasks: tuple[TaskPart, ...]) -> list[str]:
    """The first column of the tree."""
    lines = text(tasks, as_tree=True).split("\n\n")[1].splitlines()[2:]
    return [line[2:].partition("  pending")[0].rstrip() for line in lines]


def test_the_first_line_is_the_verdict() -> None:
    failed = replace(TASK, address=1, state="finished", exception="KeyError", never_retrieved=True)
    assert text((TASK, failed)).splitlines()[0] == (
        "pid 4711 (CPython 3.11.7) has 2 tasks in 1 loop: 1 pending, 1 finished, "
        "1 failed and nobody has asked why, 2 timers"
    )


def test_the_line_of_the_program_comes_before_that_of_asyncio() -> None:
    shown = text((TASK,))
    assert "Client.poll client.py:31" in shown
    assert "sleep tasks.py:649" in shown
    assert "1.5 to 9.0 s" in shown


def test_tasks_at_the_same_line_are_one_row() -> None:
    shown = text(tuple(replace(TASK, address=number, name=f"Task-{number}") for number in range(900)))
    assert "900  pending" in shown
    assert "and 897 more" in shown


def test_what_does_not_fit_is_counted() -> None:
    shown = text(tuple(replace(TASK, address=number, coroutine=f"c{number}") for number in range(100)))
    assert f"and {100 - ROWS_SHOWN} more kinds of tasks" in shown


def test_age() -> None:
    old = replace(TASK, age="older", age_at_least_s=1.04, moved=True)
    assert "> 1.0 s, moves" in text((old,))
    assert "< 2.0 s" in text((replace(TASK, age="newer", age_at_most_s=2.0),))


def test_the_tree() -> None:
    tasks = (
        named(1, 2, 3),
        named(2, 4, awaited_by=(1,)),
        named(3, 4, awaited_by=(1,)),
        named(4, awaited_by=(2, 3)),
    )
    assert rows(tasks) == ["t1", "  t2", "    t4", "  t3", "    t4 (see above)"]


def test_a_circle_in_the_tree() -> None:
    shown = rows((named(1, 2, awaited_by=(2,)), named(2, 1, awaited_by=(1,))))
    assert shown == ["t1 (in a circle of tasks that await each other)", "  t2", "    t1 (see above)"]


def test_many_alike_in_the_tree() -> None:
    children = tuple(named(number, awaited_by=(1,)) for number in range(2, 100))
    assert rows((named(1, *range(2, 100)), *children)) == ["t1", "  t2 and 97 like it"]


def test_a_tree_has_an_end() -> None:
    deep = tuple(named(number, number + 1, awaited_by=(number - 1,)) for number in range(1, 5_000))
    shown = text(deep, as_tree=True)
    assert len(shown.splitlines()) < MAXIMUM_LINES + 50
    assert "longer than what is shown" in shown


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names(name: str) -> None:
    frames = (FramePart(name, name, 3),)
    task = replace(TASK, name=name, coroutine=name, type=name, exception=name, frames=frames)
    loop = replace(LOOP, type=name, thread=name, scheduled=(HandlePart(name, 1.0, False, ()),))
    document = replace(DOCUMENT, tasks=(task,), loops=(loop,), invisible=(name,))
    for as_tree in (False, True):
        made = page(document, as_tree=as_tree, stacks=True)
        for shown in (plain.paint(made), terminal.paint(made, width=120)):
            assert name not in shown
