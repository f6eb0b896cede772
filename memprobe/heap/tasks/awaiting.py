"""Who awaits whom, through the futures between tasks.

A task waits for one future (`_fut_waiter`), which may be another task. Where gather, wait, shield,
wait_for or a TaskGroup stands between them, the callbacks of the inner task lead outwards: to the
waiting task itself, to the future that it waits for, or to the task of the group. From 3.14 on
a future also notes itself who awaits it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from memprobe.heap.tasks.attributes import Attributes
from memprobe.heap.tasks.callables import Callables
from memprobe.heap.tasks.containers import Containers
from memprobe.heap.tasks.task_objects import PENDING, RawFuture, TaskObjects
from memprobe.target.cpython.objects import UNREADABLE, is_pointer

MAXIMUM_ROUNDS = 12
"""Futures between two tasks: a gather of gathers of ... this deep."""

MAXIMUM_FUTURES = 400_000
"""Futures between tasks that are looked at."""

_GROUP, _ITERATOR, _GETTERS = "_parent_task", "_done", "_getters"


class Awaiting:
    """Finds out who awaits whom in one look."""

    def __init__(
        self, futures: TaskObjects, callables: Callables, attributes: Attributes, containers: Containers
    ) -> None:
        self._futures = futures
        self._callables = callables
        self._attributes = attributes
        self._containers = containers
        self.known: dict[int, RawFuture] = {}
        """All tasks, and the futures that were found between them."""
        self._outwards: dict[int, set[int]] = {}
        self._noted: dict[int, tuple[int, ...]] = {}
        self._insides: dict[int, tuple[int, ...]] = {}

    def add(self, futures: Mapping[int, RawFuture]) -> None:
        """Take in tasks or futures; follow whom they wait for, and who waits for them, as far as it goes."""
        self.known |= futures
        fresh = list(futures.values())
        for _ in range(MAXIMUM_ROUNDS):
            wanted: set[int] = set()
            for future in fresh:
                if future.state == PENDING:
                    wanted |= self._look_around(future)
            wanted = {one for one in wanted if is_pointer(one)} - self.known.keys()
            if not wanted or len(self.known) + len(wanted) > MAXIMUM_FUTURES:
                break
            found = self._futures.read(wanted)
            self.known |= found
            fresh = list(found.values())

    def awaiters(self, address: int) -> tuple[int, ...]:
        """The tasks that wait for a task or future, through other futures too.

        What CPython 3.14 and later notes itself counts where the callbacks say nothing: for gather() it
        notes the task that called it, which need not be the one that waits.
        """
        found = self._collect(address, self._outwards)
        return found or self._collect(address, self._noted)

    def _collect(self, address: int, outwards: Mapping[int, Iterable[int]]) -> tuple[int, ...]:
        found: dict[int, None] = {}
        seen, pending = {address}, [address]
        while pending:
            for outer in outwards.get(pending.pop(), ()):
                future = self.known.get(outer)
                if future is None or outer in seen:
                    continue
                seen.add(outer)
                if future.is_task:
                    found[outer] = None
                else:
                    pending.append(outer)
        return tuple(sorted(found))

    def _look_around(self, future: RawFuture) -> set[int]:
        """Note who waits for this future, and whom it waits for; return both."""
        outer = set(self._behind_callbacks(future.callbacks))
        self._outwards.setdefault(future.address, set()).update(outer - {future.address})
        self._noted[future.address] = future.awaited_by
        if future.waiter:
            self._outwards.setdefault(future.waiter, set()).add(future.address)
            outer.add(future.waiter)
        return outer | set(future.awaited_by)

    def _behind_callbacks(self, callbacks: Iterable[int]) -> Iterator[int]:
        for callback in callbacks:
            for address in self._callables.read(callback).acts_on:
                yield address
                if address not in self.known:
                    if address not in self._insides:
                        self._insides[address] = tuple(self._inside(address))
                    yield from self._insides[address]

    def _inside(self, address: int) -> Iterator[int]:
        """The tasks that a TaskGroup or a queue of completed ones belongs to."""
        if not is_pointer(address):
            return
        try:
            values = self._attributes.of(address)
            if _GROUP in values:
                yield values[_GROUP]
            if _ITERATOR in values:
                values = self._attributes.of(values[_ITERATOR])
            if _GETTERS in values:
                yield from self._containers.items(values[_GETTERS], 1000).addresses
        except UNREADABLE:
            return
