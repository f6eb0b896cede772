"""Tasks of targets that are damaged or there to hurt: a look ends, is bounded, and raises nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from memprobe.errors import MemprobeError
from memprobe.heap.tasks.assembly import Assembly
from memprobe.heap.tasks.coroutines import MAXIMUM_DEPTH
from memprobe.heap.tasks.document import HandlePart
from memprobe.heap.tasks.look import Looker
from memprobe.heap.tasks.looking import invisible_parts
from memprobe.heap.tasks.registries import Modules
from memprobe.target.cpython.python import Python, attach_python
from memprobe.views.page import Page
from memprobe.views.plain import paint
from memprobe.views.tasks_tree import tree
from patience import PATIENCE_S
from pythons import Interpreter
from target.attaching import attached, threads_of
from target.looking import looked_at
from target.made_memory import FrozenMemory

pytestmark = pytest.mark.few_interpreters

DAMAGED_COPIES = 40
PROGRAMS = ("tasks_awaits.py", "tasks_timers.py", "tasks_executors.py")


def everything(python: Python) -> tuple[object, ...]:
    """All that a look shows, but for what goes on with the clock."""
    looker = Looker(python)
    assembly = Assembly(looker, looker.look())
    tasks = tuple(assembly.tasks())
    paint(Page("", tuple(tree(tasks))))
    loops = [replace(loop, scheduled=tuple(timeless(loop.scheduled))) for loop in assembly.loops()]
    return tasks, tuple(loops), tuple(assembly.executors())


def timeless(handles: Iterable[HandlePart]) -> Iterator[HandlePart]:
    return (replace(handle, due_in_s=None) for handle in handles)


@contextmanager
def in_time() -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < PATIENCE_S


@pytest.fixture
def frozen(
    interpreter: Interpreter, targets: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> tuple[FrozenMemory, Callable[[FrozenMemory], Python]]:
    """All pages of a program that a look needs, and a way to attach to a copy of them."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # what is damaged here does not get better
    with interpreter.spawn(targets / request.param) as target, looked_at(target.pid) as look:
        (runtime,) = look.runtimes()
        threads = threads_of(look.process)
        memory = FrozenMemory(look.memory)
        assert everything(attach_python(memory, runtime, look.mappings, threads))
        memory.thaw()
    return memory, lambda copy: attach_python(copy, runtime, look.mappings, threads)


@pytest.mark.parametrize("frozen", PROGRAMS, indirect=True)
def test_damaged_memory(frozen: tuple[FrozenMemory, Callable[[FrozenMemory], Python]]) -> None:
    """A few of the words that a look has read are something else."""
    whole, attach = frozen
    unharmed = everything(attach(whole.copy()))
    outcomes = set()
    for seed in range(DAMAGED_COPIES):
        random, memory = Random(seed), whole.copy()
        for _ in range(random.choice((1, 3, 30, 300))):
            start, size = random.choice(whole.looks[len(whole.looks) // 4 :])
            memory.write(start + random.randrange(max(1, min(size, 512))), _word(random, whole))
        with in_time():
            try:
                outcomes.add(everything(attach(memory)) == unharmed)
            except MemprobeError:
                continue
    assert outcomes == {True, False}


def _word(random: Random, whole: FrozenMemory) -> int:
    pointer = random.choice(whole.looks)[0] // 8 * 8
    return random.choice(
        (0, 1, pointer, pointer + 3, random.getrandbits(64), random.getrandbits(16), 2**63 - 1, 2**62)
    )


@pytest.mark.parametrize("frozen", ["tasks_awaits.py"], indirect=True)
def test_a_coroutine_that_awaits_itself(
    frozen: tuple[FrozenMemory, Callable[[FrozenMemory], Python]],
) -> None:
    """Every coroutine of a chain awaits the outermost one again: the chain ends, and says it is not whole."""
    whole, attach = frozen
    looker = Looker(attach(whole.copy()))
    (one,) = looker.look().interpreters
    memory = whole.copy()
    circles = 0
    for seen in one.tasks.values():
        inner = seen.chain.links[-1][1] if len(seen.chain.links) > 1 else None
        place = _place_of(whole, getattr(inner, "awaits", 0))
        if place:
            memory.write(place, seen.chain.start)
            circles += 1
    assert circles > 3
    with in_time():
        (tasks, *_) = everything(attach(memory))
    assert isinstance(tasks, tuple)
    assert sum(not task.complete for task in tasks) >= circles / 2
    assert all(len(task.frames) <= MAXIMUM_DEPTH for task in tasks)


@pytest.mark.parametrize("frozen", ["tasks_awaits.py"], indirect=True)
def test_a_registry_without_an_end(
    interpreter: Interpreter, frozen: tuple[FrozenMemory, Callable[[FrozenMemory], Python]]
) -> None:
    """A linked list that goes in a circle (3.14 and later), a set that claims 2**62 places (before)."""
    whole, attach = frozen
    python = attach(whole.copy())
    looker, layout = Looker(python), python.layout
    (one,) = looker.look().interpreters
    tasks = list(one.tasks)
    memory = whole.copy()
    if interpreter.version >= (3, 14):
        node = layout.offset("TaskObj.task_node")
        memory.write(tasks[len(tasks) // 2] + node, tasks[2] + node)
    else:
        modules = Modules(python.objects, python.dictionaries, one.interpreter)
        names = modules.namespace("asyncio.tasks")
        registry = names["_all_tasks" if "_all_tasks" in names else "_scheduled_tasks"]
        members = python.instances.attribute(registry, "data")
        memory.write(members + layout.offset("PySetObject.mask"), 2**62 - 1)
    with in_time():
        (damaged,) = Looker(attach(memory)).look().interpreters
    assert not damaged.registries_complete
    assert len(damaged.tasks) < len(tasks)


def test_a_layout_that_does_not_hold(interpreter: Interpreter, targets: Path) -> None:
    """A build that keeps a task's fields elsewhere: the check is named, and no guess is shown."""
    with interpreter.spawn(targets / "tasks_awaits.py") as target, attached(target.pid) as python:
        layout = python.layout
        moved = {
            f"{struct}_{name}": layout.offset(f"{struct}_{name}") + 8
            for struct in ("TaskObj.task", "FutureObj.fut")
            for name in ("loop", "callback0", "callbacks", "exception", "state")
        }
        python.layout = python.objects.layout = layout.with_offsets(moved)
        look = Looker(python).look()
        assert [(one.layout_holds, len(one.tasks)) for one in look.interpreters] == [(False, 0)]
    sentences = list(invisible_parts(python, look))
    assert any("'asyncio tasks' failed" in sentence for sentence in sentences)


def _place_of(memory: FrozenMemory, word: int) -> int:
    """Where a look has read this word as the topmost value of a frame."""
    for start, size in memory.looks:
        if word and size in (8, 16):
            for place in range(start, start + size, 8):
                if memory.available(place, 8) == word.to_bytes(8, "little"):
                    return place
    return 0
