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
from memprobe.heap.tasks.search import Found, FutureTypes, Search
from memprobe.heap.tasks.task_objects import C_TASK, RawFuture, TaskObjects
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

    layout_holds: bool
    """False if asyncio's tasks do not look as its C module lays them out in this version."""

    found: Found | None
    """What a search of the memory has found; None if there was none."""


@dataclass(frozen=True, slots=True)
class Look:
    """What all of them have."""

    at: float
    """time.monotonic()"""

    threads: Sequence[PythonThread]
    interpreters: Sequence[InterpreterLook]


class Looker:
    """Looks at one target, as often as wanted."""

    def __init__(self, python: Python, search: Search | None = None) -> None:
        self.python = python
        self._search = search
        self._found: dict[int, Found] = {}
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
        self._future_types = FutureTypes(objects, python.dictionaries, self.types)
        several = (self.types, self.attributes, self.containers, self.callables)
        self._loops = Loops(objects, python.dictionaries, *several)
        self._executors = Executors(objects, python.dictionaries, *several)

    def look(self) -> Look:
        """Look at everything once; the memory is searched by the first look only.

        What the first one has found is looked at again by the next.
        """
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
        layout_holds = self._layout_holds(tasks)
        if not layout_holds:
            tasks = {}
        vanished = len(registered.addresses) - len(tasks)
        found = self._searched(interpreter, modules)
        more = self._plausible(found.addresses if found else (), tasks)
        tasks |= self._tasks([address for address, future in more.items() if future.is_task])
        awaiting = Awaiting(self.futures, self.callables, self.attributes, self.containers)
        futures = {address: future for address, future in more.items() if not future.is_task}
        awaiting.add(futures | {address: seen.future for address, seen in tasks.items()})
        running = self._loops.running(threads)
        loops = loops_of((future.loop for future in awaiting.known.values()), running)
        return InterpreterLook(
            interpreter=interpreter,
            tasks=tasks,
            running=self._running_tasks(modules, threads, running),
            awaiting=awaiting,
            loops=[self._loops.read(loop, running.get(loop, 0)) for loop in loops],
            executors=self._executors.read(modules),
            registries_complete=registered.complete,
            vanished=vanished if layout_holds else 0,
            layout_holds=layout_holds,
            found=found,
        )

    def _searched(self, interpreter: Interpreter, modules: Modules) -> Found | None:
        """What a search has found in this interpreter, by this look or the one before."""
        if self._search is not None and interpreter.address not in self._found:
            kinds = self._future_types.read(modules)
            offset = self.python.layout.offset("PyObject.ob_type")
            self._found[interpreter.address] = (
                self._search.instances(kinds, offset) if kinds else Found((), 0, complete=True)
            )
        return self._found.get(interpreter.address)

    def _plausible(self, addresses: Sequence[int], tasks: Mapping[int, SeenTask]) -> dict[int, RawFuture]:
        """Of what a search has found, the futures that live: one that was freed has no loop any more."""
        wanted = [address for address in addresses if address not in tasks]
        if not wanted or self._search is None:
            return {}
        futures = self.futures.read(self._search.tracked(wanted))
        loops = self.types.of_many(future.loop for future in futures.values())
        return {
            address: future
            for address, future in futures.items()
            if future.state is not None and self._is_loop(loops.get(future.loop, 0))
        }

    def _layout_holds(self, tasks: Mapping[int, SeenTask]) -> bool:
        """Check the claim of the layout table: most tasks of the C module have a state and a loop."""
        in_c = [one.future for one in tasks.values() if self.types.is_a(one.future.type, C_TASK)]
        loops = self.types.of_many(future.loop for future in in_c)
        sound = sum(future.state is not None and self._is_loop(loops.get(future.loop, 0)) for future in in_c)
        return 2 * sound >= len(in_c)

    def _is_loop(self, kind: int) -> bool:
        """Say whether a type is one of event loops, by the names of what it derives from."""
        return any(self.types.name(base).endswith("Loop") for base in self.types.bases(kind))

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
