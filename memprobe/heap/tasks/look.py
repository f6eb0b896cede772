"""One look at all tasks, loops and executors of a target, interpreter by interpreter."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from memprobe.heap.tasks.attributes import Attributes
from memprobe.heap.tasks.awaiting import Awaiting
from memprobe.heap.tasks.callables import Callables
from memprobe.heap.tasks.containers import Containers
from memprobe.heap.tasks.coroutines import Chain, Coroutines
from memprobe.heap.tasks.executors import Executors, RawExecutor
from memprobe.heap.tasks.loops import Loops, RawLoop, loops_of
from memprobe.heap.tasks.registries import Modules, TaskRegistries
from memprobe.heap.tasks.task_objects import RawFuture, TaskObjects
from memprobe.heap.tasks.tracebacks import Tracebacks
from memprobe.heap.tasks.types import Types
from memprobe.target.cpython.interpreters import Interpreter
from memprobe.target.cpython.python import Python, PythonThread

ATTEMPTS = 3
"""How often a task is read that changes meanwhile; its coroutines are read again more often."""


@dataclass(frozen=True, slots=True)
class SeenTask:
    """A task and its coroutines, as they were at one moment."""

    future: RawFuture
    chain: Chain
    torn: bool


@dataclass(frozen=True, slots=True)
class InterpreterLook:
    """What one interpreter has."""

    interpreter: Interpreter
    tasks: Mapping[int, SeenTask]

    running: Mapping[int, int]
    """Tasks that run, and the thread state of each."""

    awaiting: Awaiting
    loops: Sequence[RawLoop]
    executors: Sequence[RawExecutor]
    registries_complete: bool
    vanished: int


@dataclass(frozen=True, slots=True)
class Look:
    """What all of them have."""

    at: float
    """time.monotonic()"""

    threads: Sequence[PythonThread]
    interpreters: Sequence[InterpreterLook]


class Looker:
    """Looks at one target, as often as wanted."""

    def __init__(self, python: Python) -> None:
        self.python = python
        self._renew()

    def _renew(self) -> None:
        """Forget what is known of types: they may be others by the next look."""
        python, objects = self.python, self.python.objects
        self.types = Types(objects, python.dictionaries)
        self.attributes = Attributes(objects, python.dictionaries, python.instances, self.types)
        self.containers = Containers(objects, python.instances, self.types)
        self.callables = Callables(objects, self.types, self.containers)
        self.futures = TaskObjects(objects, self.types, self.attributes, self.containers)
        self.coroutines = Coroutines(objects, python.codes, self.types)
        self.tracebacks = Tracebacks(objects, python.codes)
        self._registries = TaskRegistries(objects, self.types, self.containers)
        several = (self.types, self.attributes, self.containers, self.callables)
        self._loops = Loops(objects, python.dictionaries, *several)
        self._executors = Executors(objects, python.dictionaries, *several)

    def look(self) -> Look:
        """Look at everything once."""
        self._renew()
        at = time.monotonic()
        threads = self.python.threads()
        interpreters = [
            self._look_into(one, [thread.address for thread in threads if thread.interpreter == one.id])
            for one in self.python.interpreters()
        ]
        return Look(at, threads, interpreters)

    def _look_into(self, interpreter: Interpreter, threads: Sequence[int]) -> InterpreterLook:
        modules = Modules(self.python.objects, self.python.dictionaries, interpreter)
        registered = self._registries.read(interpreter, modules, threads)
        tasks = self._tasks(registered.addresses)
        awaiting = Awaiting(self.futures, self.callables, self.attributes, self.containers)
        awaiting.add_tasks({address: seen.future for address, seen in tasks.items()})
        running = self._loops.running(threads)
        loops = loops_of((seen.future.loop for seen in tasks.values()), running)
        return InterpreterLook(
            interpreter=interpreter,
            tasks=tasks,
            running=self._running_tasks(modules, threads, running),
            awaiting=awaiting,
            loops=[self._loops.read(loop, running.get(loop, 0)) for loop in loops],
            executors=self._executors.read(modules),
            registries_complete=registered.complete,
            vanished=len(registered.addresses) - len(tasks),
        )

    def _running_tasks(
        self, modules: Modules, threads: Sequence[int], running: Mapping[int, int]
    ) -> dict[int, int]:
        """The tasks that run, and the thread state of each."""
        current = modules.namespace("asyncio.tasks").get("_current_tasks", 0)
        found = self._loops.running_tasks(threads, current)
        return {task: running.get(where, where) for task, where in found.items()}

    def _tasks(self, addresses: Sequence[int]) -> dict[int, SeenTask]:
        """Read tasks and their coroutines until both fit together."""
        found: dict[int, SeenTask] = {}
        pending: Sequence[int] = addresses
        for _ in range(ATTEMPTS):
            futures = {a: one for a, one in self.futures.read(pending).items() if one.is_task}
            chains = self.coroutines.chains(one.coroutine for one in futures.values() if one.coroutine)
            again = self.futures.read(futures)
            fresh = dict(self._fitted(futures, chains, again))
            found |= fresh
            pending = [address for address, seen in fresh.items() if seen.torn]
            if not pending:
                break
        return found

    def _fitted(
        self, before: Mapping[int, RawFuture], chains: Mapping[int, Chain], after: Mapping[int, RawFuture]
    ) -> Iterator[tuple[int, SeenTask]]:
        """Join tasks with their coroutines; torn is what was not the same before and after."""
        for address, future in before.items():
            chain = chains.get(future.coroutine, Chain(future.coroutine))
            steady = address in after and _what_matters(after[address]) == _what_matters(future)
            yield address, SeenTask(future, chain, torn=not (steady and chain.complete))


def _what_matters(future: RawFuture) -> tuple[object, ...]:
    return future.type, future.state, future.coroutine, future.waiter, future.loop
