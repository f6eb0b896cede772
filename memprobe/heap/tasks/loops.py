"""Event loops: their timers and the callbacks that are ready to run."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from memprobe.heap.tasks.attributes import Attributes
from memprobe.heap.tasks.budget import Budget
from memprobe.heap.tasks.callables import Callables
from memprobe.heap.tasks.containers import EMPTY, Containers, Items
from memprobe.heap.tasks.types import Types
from memprobe.target.cpython.dictionaries import Dictionaries
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer

MAXIMUM_HANDLES = 20_000
"""Timers, or ready callbacks, of one loop that are described; the rest is only counted."""

MAXIMUM_HANDLES_IN_ALL = 200_000
"""Of all loops."""

MAXIMUM_LOOPS = 1_000
"""More are not looked into; a program has one for each thread at most."""

# Modules/_asynciomodule.c: what a thread state's dict has to 3.12. To 3.11 it is a holder, whose loop
# follows the header; in 3.12 it is the loop.
_RUNNING, _HOLDER = "__asyncio_running_event_loop__", "_RunningLoopHolder"


@dataclass(frozen=True, slots=True)
class RawHandle:
    """A callback that the loop is to call."""

    callback: str
    acts_on: tuple[int, ...]
    """What the callback is bound to, and its arguments."""

    when: float | None
    """The time of the loop at which a timer is due."""

    cancelled: bool


@dataclass(frozen=True, slots=True)
class RawLoop:
    """One event loop."""

    address: int
    type: str

    thread: int
    """The address of the state of the thread in which it runs, 0 if in none."""

    closed: bool | None
    """None if it does not say: uvloop does not."""

    debug: bool | None
    executor: int
    now: float

    timers: tuple[RawHandle, ...]
    timers_total: int | None
    """None if the loop keeps them elsewhere."""

    ready: tuple[RawHandle, ...]
    ready_total: int | None


class Loops:
    """Reads event loops of one target."""

    def __init__(
        self,
        objects: Objects,
        dictionaries: Dictionaries,
        types: Types,
        attributes: Attributes,
        containers: Containers,
        callables: Callables,
    ) -> None:
        layout = objects.layout
        self._objects = objects
        self._dictionaries = dictionaries
        self._types = types
        self._attributes = attributes
        self._containers = containers
        self._callables = callables
        self._budget = Budget(MAXIMUM_HANDLES_IN_ALL)
        self._float = layout.offset("PyFloatObject.ob_fval")
        in_state = "_PyThreadStateImpl.asyncio_running_loop"
        self._in_state = layout.offset(in_state) if layout.has(in_state) else None
        self._thread_dict = layout.offset("PyThreadState.dict")
        self._holder = layout.size("PyObject")
        self._running_task = (
            layout.offset("_PyThreadStateImpl.asyncio_running_task")
            if layout.has("_PyThreadStateImpl.asyncio_running_task")
            else None
        )

    def running(self, threads: Iterable[int]) -> dict[int, int]:
        """The loops that run, and the thread state of each."""
        found = {}
        for thread in threads:
            try:
                loop = self._running_in(thread)
            except UNREADABLE:
                continue
            if self._types.is_something(loop):
                found[loop] = thread
        return found

    def running_tasks(self, threads: Iterable[int], current: int) -> dict[int, int]:
        """The tasks that run just now: the thread state of each from 3.14 on, else its loop.

        `current` is asyncio.tasks._current_tasks, or 0; what is 3.14's own needs none.
        """
        found: dict[int, int] = {}
        if self._running_task is not None:
            for thread in threads:
                (block,) = self._objects.memory.read_many([(thread + self._running_task, 8)])
                found[int.from_bytes(block, "little")] = thread
        try:
            found |= {task: loop for loop, task in self._dictionaries.items(current)} if current else {}
        except UNREADABLE:
            pass
        return {task: where for task, where in found.items() if is_pointer(task)}

    def _running_in(self, thread: int) -> int:
        if self._in_state is not None:
            return int.from_bytes(self._objects.memory.read(thread + self._in_state, 8), "little")
        namespace = self._objects.pointer(thread + self._thread_dict)
        found = self._dictionaries.find(namespace, _RUNNING) if namespace else 0
        if self._types.name(self._types.of(found)).rpartition(".")[2] != _HOLDER:
            return found
        return self._objects.pointer(found + self._holder)

    def read(self, address: int, thread: int) -> RawLoop:
        """Read one loop."""
        try:
            values = self._attributes.of(address)
        except UNREADABLE:
            values = {}
        now = time.monotonic()  # the clock of loop.time(): one for the whole machine
        timers, ready = (self._items(values, name) for name in ("_scheduled", "_ready"))
        return RawLoop(
            address=address,
            type=self._types.label(self._types.of(address)),
            thread=thread,
            closed=self._truth(values, "_closed"),
            debug=self._truth(values, "_debug"),
            executor=values.get("_default_executor", 0),
            now=now,
            timers=self._handles(timers),
            timers_total=timers.total if "_scheduled" in values else None,
            ready=self._handles(ready),
            ready_total=ready.total if "_ready" in values else None,
        )

    def _items(self, values: Mapping[str, int], name: str) -> Items:
        try:
            if name not in values:
                return EMPTY
            items = self._containers.items(values[name], MAXIMUM_HANDLES)
            return items._replace(addresses=items.addresses[: self._budget.take(len(items.addresses))])
        except UNREADABLE:
            return EMPTY

    def _handles(self, items: Items) -> tuple[RawHandle, ...]:
        """Describe handles; what a loop has just taken away may be something else by now."""
        slots = self._attributes.slots_of(items.addresses)
        handles = [slots[address] for address in items.addresses if address in slots]
        arguments = self._containers.first_of_tuples(one.get("_args", 0) for one in handles)
        times = self._seconds([one.get("_when", 0) for one in handles])
        truths: dict[int, bool] = {}
        for one in handles:
            address = one.get("_cancelled", 0)
            if address not in truths:
                truths[address] = bool(self._truth(one, "_cancelled"))
        return tuple(
            self._handle(one, arguments.get(one.get("_args", 0), ()), when, truths[one.get("_cancelled", 0)])
            for one, when in zip(handles, times, strict=True)
        )

    def _handle(
        self, values: Mapping[str, int], arguments: Sequence[int], when: float | None, cancelled: bool
    ) -> RawHandle:
        callback = self._callables.read(values.get("_callback", 0))
        name = "" if cancelled and callback.name == "NoneType" else callback.name
        return RawHandle(name, (*callback.acts_on, *arguments), when, cancelled)

    def _seconds(self, addresses: Sequence[int]) -> list[float | None]:
        """Times of the loop; an int is one too."""
        types = self._types.of_many(addresses)
        blocks = self._objects.memory.read_many([(address + self._float, 8) for address in addresses])
        found: list[float | None] = []
        for address, block in zip(addresses, blocks, strict=True):
            name = self._types.name(types.get(address, 0)) if address in types else ""
            value = struct.unpack("<d", block)[0] if name == "float" and len(block) == 8 else None
            if name == "int":
                value = self._whole(address)
            # Neither infinite nor no number.
            found.append(value if value is not None and value - value == 0 else None)
        return found

    def _whole(self, address: int) -> float | None:
        try:
            return float(self._objects.integer(address))
        except (OverflowError, *UNREADABLE):
            return None

    def _truth(self, values: Mapping[str, int], name: str) -> bool | None:
        try:
            return bool(self._objects.integer(values[name]))
        except (KeyError, *UNREADABLE):
            return None


def loops_of(tasks: Iterable[int], running: Mapping[int, int]) -> Sequence[int]:
    """Every loop once: those that run first, then those that only tasks know."""
    return [loop for loop in dict.fromkeys((*running, *tasks)) if is_pointer(loop)][:MAXIMUM_LOOPS]
