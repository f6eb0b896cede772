"""Tasks and futures of asyncio as they lie in memory: the C ones by layout, those in Python by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from memprobe.heap.tasks.attributes import Attributes
from memprobe.heap.tasks.budget import Budget
from memprobe.heap.tasks.containers import Containers
from memprobe.heap.tasks.types import Types
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer

MAXIMUM_CALLBACKS = 10_000
"""Callbacks of one future that are looked at."""

MAXIMUM_CALLBACKS_IN_ALL = 1_000_000
"""Of all futures, read as often as it may be."""

PENDING, CANCELLED, FINISHED = "pending", "cancelled", "finished"
STATES = (PENDING, CANCELLED, FINISHED)

C_TASK, C_FUTURE = "_asyncio.Task", "_asyncio.Future"

_MANGLED = "_Future__log_traceback"


@dataclass(frozen=True, slots=True)
class RawFuture:
    """A future, or a task, which is one; 0 stands for None and for what is not there."""

    address: int
    type: int

    is_task: bool

    state: str | None
    """None if it has a number that means nothing, or none at all."""

    loop: int
    callbacks: tuple[int, ...]
    exception: int

    never_retrieved: bool
    """It failed, and nobody has asked for its exception."""

    coroutine: int = 0
    name: int = 0

    waiter: int = 0
    """The future that it waits for."""

    cancel_requested: bool = False

    awaited_by: tuple[int, ...] = ()
    """What CPython 3.14 and later itself says."""


class TaskObjects:
    """Reads tasks and futures of one target."""

    def __init__(
        self, objects: Objects, types: Types, attributes: Attributes, containers: Containers
    ) -> None:
        layout = objects.layout
        self._objects = objects
        self._types = types
        self._attributes = attributes
        self._containers = containers
        common = ("loop", "callback0", "callbacks", "exception", "state")
        self._future = Fields(layout, "FutureObj", *(f"fut_{name}" for name in common))
        own = ("coro", "name", "fut_waiter")
        self._task = Fields(layout, "TaskObj", *(f"task_{name}" for name in (*common, *own)))
        self._tells_awaiters = layout.has("FutureObj.fut_awaited_by")
        if self._tells_awaiters:
            self._awaiters = Fields(layout, "FutureObj", "fut_awaited_by", "fut_awaited_by_is_set")
        self._budget = Budget(MAXIMUM_CALLBACKS_IN_ALL)
        self._log = layout.bits("FutureObj.fut_log_tb")
        self._must_cancel = layout.bits("TaskObj.task_must_cancel")
        self._cancels = (
            Fields(layout, "TaskObj", "task_num_cancels_requested:signed")
            if layout.has("TaskObj.task_num_cancels_requested")
            else None
        )
        ends = [self._future.end, self._log.offset + 4]
        ends += [self._awaiters.end] if self._tells_awaiters else []
        self._future_end = max(ends)
        ends += [self._task.end, self._must_cancel.offset + 4]
        self._task_end = max(*ends, self._cancels.end if self._cancels else 0)

    def read(self, addresses: Iterable[int]) -> dict[int, RawFuture]:
        """Read many tasks and futures; what is neither is left out."""
        types = self._types.of_many(addresses)
        sizes = {address: self._size(kind) for address, kind in types.items()}
        in_c = [address for address, size in sizes.items() if size]
        blocks = self._objects.memory.read_many([(address, sizes[address]) for address in in_c])
        found = {}
        for address, block in zip(in_c, blocks, strict=True):
            if len(block) == sizes[address]:
                found[address] = self._of_block(address, types[address], block)
        for address, kind in types.items():
            if not sizes[address]:
                future = self._of_attributes(address, kind)
                if future is not None:
                    found[address] = future
        return found

    def _size(self, kind: int) -> int:
        """How many bytes to read of an instance of a type; 0 if it is not one of C."""
        if self._types.is_a(kind, C_TASK):
            return self._task_end
        return self._future_end if self._types.is_a(kind, C_FUTURE) else 0

    def _of_block(self, address: int, kind: int, block: bytes) -> RawFuture:
        is_task = len(block) == self._task_end
        fields = self._task if is_task else self._future
        loop, first, more, exception, state, *own = fields.unpack(block)
        coroutine, name, waiter = own or (0, 0, 0)
        log = self._log.extract(int.from_bytes(block[self._log.offset :][:4], "little"))
        return RawFuture(
            address=address,
            type=kind,
            is_task=is_task,
            state=STATES[state] if state < len(STATES) else None,
            loop=loop,
            callbacks=self._callbacks(first, more),
            exception=exception if self._types.is_something(exception) else 0,
            never_retrieved=bool(log),
            coroutine=coroutine,
            name=name,
            waiter=waiter if self._types.is_something(waiter) else 0,
            cancel_requested=is_task and self._is_cancelled(block),
            awaited_by=self._awaited_by(block),
        )

    def _is_cancelled(self, block: bytes) -> bool:
        word = int.from_bytes(block[self._must_cancel.offset :][:4], "little")
        requests = self._cancels.unpack(block)[0] if self._cancels else 0
        return bool(self._must_cancel.extract(word)) or requests > 0

    def _callbacks(self, first: int, more: int) -> tuple[int, ...]:
        """The callbacks of a C future: the first one apart, (callback, context) pairs for the rest."""
        found = [first] if self._types.is_something(first) else []
        if self._types.is_something(more):
            found += self._pairs(more)
        return tuple(found)

    def _pairs(self, address: int) -> list[int]:
        try:
            pairs = self._containers.items(address, MAXIMUM_CALLBACKS).addresses
            pairs = pairs[: self._budget.take(len(pairs))]
            items = [self._containers.items(pair, 2).addresses for pair in pairs]
        except UNREADABLE:
            return []
        return [item[0] for item in items if item]

    def _awaited_by(self, block: bytes) -> tuple[int, ...]:
        """What 3.14 and later note: one awaiter, or a set of them."""
        if not self._tells_awaiters:
            return ()
        address, is_set = self._awaiters.unpack(block)
        if not is_pointer(address):
            return ()
        if not is_set:
            return (address,)
        try:
            awaiters = self._containers.items(address, MAXIMUM_CALLBACKS).addresses
            return tuple(awaiters[: self._budget.take(len(awaiters))])
        except UNREADABLE:
            return ()

    def _of_attributes(self, address: int, kind: int) -> RawFuture | None:
        """A future of asyncio in pure Python, or a task of somebody else that looks like one."""
        try:
            values = self._attributes.of(address)
        except UNREADABLE:
            return None
        is_task = "_coro" in values
        if not is_task and not {"_loop", "_callbacks"} <= values.keys():
            return None
        present = {name: value for name, value in values.items() if self._types.is_something(value)}
        exception = present.get("_exception", 0)
        return RawFuture(
            address=address,
            type=kind,
            is_task=is_task,
            state=self._state_named(values),
            loop=present.get("_loop", 0),
            callbacks=tuple(self._pairs(present.get("_callbacks", 0))),
            exception=exception,
            never_retrieved=bool(exception) and self._truth(values, _MANGLED),
            coroutine=present.get("_coro", 0),
            name=present.get("_name", 0),
            waiter=present.get("_fut_waiter", 0),
            cancel_requested=self._truth(values, "_must_cancel", "_num_cancels_requested"),
        )

    def _state_named(self, values: Mapping[str, int]) -> str | None:
        """The state of a future in Python; a pending one has it from its class."""
        if "_state" not in values:
            return PENDING
        try:
            state = self._objects.string(values["_state"]).lower()
        except UNREADABLE:
            return None
        return state if state in STATES else None

    def _truth(self, values: Mapping[str, int], *names: str) -> bool:
        """Say whether one of some attributes is a number other than 0, or True."""
        for name in names:
            try:
                if name in values and self._objects.integer(values[name]):
                    return True
            except UNREADABLE:
                continue
        return False
