"""Where asyncio keeps its tasks: the registries of each version.

3.8 - 3.11   asyncio.tasks._all_tasks, a WeakSet
3.12, 3.13   _scheduled_tasks, a WeakSet, and _eager_tasks, a set: of the C module where there is one
3.14 -       linked lists in every thread state and, of threads that have ended, in the interpreter;
             tasks of other kinds are in a WeakSet and a set that only the C module's state leads to
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from memprobe.heap.tasks.containers import Containers, Items
from memprobe.heap.tasks.types import Types
from memprobe.target.cpython.dictionaries import Dictionaries
from memprobe.target.cpython.interpreters import Interpreter
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer

MAXIMUM_TASKS = 200_000
"""Tasks that are looked at; the rest is only counted."""

WEAK_SET = "_weakrefset.WeakSet"
REGISTRIES = ("_all_tasks", "_scheduled_tasks", "_eager_tasks")

_ATTEMPTS = 8
_STATE_WORDS = 48  # the state of the module _asyncio has some 35 in 3.14 and 3.15


@dataclass(frozen=True, slots=True)
class Registered:
    """The tasks that the registries of one interpreter know."""

    addresses: tuple[int, ...]

    complete: bool
    """False if a registry changed at every attempt, or has more than MAXIMUM_TASKS."""


class Modules:
    """The modules of one interpreter by name, and what their namespaces hold."""

    def __init__(self, objects: Objects, dictionaries: Dictionaries, interpreter: Interpreter) -> None:
        self._dictionaries = dictionaries
        self._namespaces: dict[str, dict[str, int]] = {}
        try:
            self._modules = dictionaries.named_items(interpreter.modules)
        except UNREADABLE:
            self._modules = {}

    def address(self, module: str) -> int:
        """The address of a module, 0 if it was never imported."""
        return self._modules.get(module, 0)

    def namespace(self, module: str) -> dict[str, int]:
        """The names of a module; empty if it was never imported."""
        if module not in self._namespaces:
            try:
                address = self._dictionaries.of_module(self._modules[module])
                self._namespaces[module] = self._dictionaries.named_items(address)
            except (KeyError, *UNREADABLE):
                self._namespaces[module] = {}
        return self._namespaces[module]


class TaskRegistries:
    """Reads the registries of tasks of one target."""

    def __init__(self, objects: Objects, types: Types, containers: Containers) -> None:
        layout = objects.layout
        self._objects = objects
        self._types = types
        self._containers = containers
        self._state = layout.offset("PyModuleObject.md_state") if layout.version >= (3, 14) else None
        self._heads: tuple[int, int] | None = None
        if layout.version >= (3, 14):
            self._heads = (
                layout.offset("PyInterpreterState.asyncio_tasks_head"),
                layout.offset("_PyThreadStateImpl.asyncio_tasks_head"),
            )
            self._node = layout.offset("TaskObj.task_node")

    def read(self, interpreter: Interpreter, modules: Modules, threads: Sequence[int]) -> Registered:
        """List the tasks of an interpreter, given the addresses of its thread states."""
        found: dict[int, None] = {}
        complete = True
        for items in self._all(interpreter, modules, threads):
            found.update(dict.fromkeys(items.addresses))
            complete = complete and items.steady and len(found) <= MAXIMUM_TASKS
        return Registered(tuple(found)[:MAXIMUM_TASKS], complete)

    def _all(self, interpreter: Interpreter, modules: Modules, threads: Sequence[int]) -> Iterator[Items]:
        for address in dict.fromkeys(self._sets(modules)):
            try:
                yield self._of_set(address)
            except UNREADABLE:
                yield Items(0, [], False)
        if self._heads is None or not modules.address("_asyncio"):
            return
        of_interpreter, of_thread = self._heads
        yield self._linked(interpreter.address + of_interpreter)
        for thread in threads:
            yield self._linked(thread + of_thread)

    def _sets(self, modules: Modules) -> Iterator[int]:
        """The addresses of the sets that tasks are registered in."""
        for module in ("asyncio.tasks", "_asyncio"):
            names = modules.namespace(module)
            yield from (names[name] for name in REGISTRIES if name in names)
        if self._state is not None and modules.address("_asyncio"):
            yield from self._sets_in_state(modules.address("_asyncio"))

    def _sets_in_state(self, module: int) -> list[int]:
        """The sets that the state of the C module points to; other modules do not see them."""
        try:
            state = self._objects.pointer(module + (self._state or 0))
            words = struct.unpack(f"<{_STATE_WORDS}Q", self._objects.read(state, 8 * _STATE_WORDS))
        except UNREADABLE:
            return []
        types = self._types.of_many(words)
        return [
            word
            for word in words
            if self._types.name(types.get(word, 0)) == "set"
            or self._types.label(types.get(word, 0)) == WEAK_SET
        ]

    def _of_set(self, address: int) -> Items:
        if self._types.label(self._types.of(address)) == WEAK_SET:
            return self._containers.weak_set(address, MAXIMUM_TASKS)
        return self._containers.items(address, MAXIMUM_TASKS)

    def _linked(self, head: int) -> Items:
        """Walk a list of tasks until a walk comes back to where it began."""
        best = Items(0, [], False)
        for _ in range(_ATTEMPTS):
            walked = self._walk(head)
            best = max(best, walked, key=lambda items: (items.steady, items.total))
            if walked.steady:
                break
        return best

    def _walk(self, head: int) -> Items:
        """Follow the links once; every node must point back to the one before it."""
        found: list[int] = []
        seen: set[int] = set()
        before, node = head, self._links(head)[0]
        while node != head and is_pointer(node) and node not in seen and len(found) < MAXIMUM_TASKS:
            following, back = self._links(node)
            if back != before:
                break
            seen.add(node)
            found.append(node - self._node)
            before, node = node, following
        # A list of a thread state that no loop has used yet is empty: two zeros.
        ended = node == head or (not found and node == 0)
        return Items(len(found), found, ended)

    def _links(self, node: int) -> tuple[int, int]:
        (block,) = self._objects.memory.read_many([(node, 16)])
        return struct.unpack("<QQ", block) if len(block) == 16 else (1, 1)
