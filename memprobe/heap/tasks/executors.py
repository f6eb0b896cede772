"""Executors of concurrent.futures: their threads or processes, and the work that waits in their queues.

They are found through what keeps their threads from being forgotten at exit:
`concurrent.futures.thread._threads_queues` (thread -> queue) and `process._threads_wakeups`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from memprobe.heap.tasks.attributes import Attributes
from memprobe.heap.tasks.budget import Budget
from memprobe.heap.tasks.callables import Callables
from memprobe.heap.tasks.containers import EMPTY, Containers, Items
from memprobe.heap.tasks.registries import Modules
from memprobe.heap.tasks.types import Types
from memprobe.target.cpython.dictionaries import Dictionaries
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer

MAXIMUM_WORK_ITEMS = 20_000
"""Work items of one queue that are named; the rest is only counted."""

MAXIMUM_IN_ALL = 200_000
"""Of all queues."""

MAXIMUM_EXECUTORS = 2_000

THREADS, PROCESSES = "threads", "processes"


@dataclass(frozen=True, slots=True)
class RawExecutor:
    """One executor, or what is left of one: its threads can outlive it."""

    address: int
    """0 if the executor itself is gone, or could not be found."""

    type: str | None
    kind: str
    """THREADS or PROCESSES."""

    name_prefix: str | None
    workers: int
    maximum_workers: int | None

    idle: int | None
    """Workers that wait for work; the count is the executor's own and may lag behind."""

    idents: tuple[int, ...]
    """threading.get_ident() of its threads."""

    queued: int | None
    """Work items that no worker has taken yet."""

    work: tuple[tuple[str, int], ...]
    """What is queued, by callable, most first."""

    shut_down: bool | None


class Executors:
    """Reads the executors of one target."""

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
        self._budget = Budget(MAXIMUM_IN_ALL)
        self._referent = layout.offset("PyWeakReference.wr_object")
        self._is_ring = layout.has("simplequeueobject.buf.num_items")
        if self._is_ring:
            names = ("get_idx", "items", "items_cap", "num_items")
            self._ring = Fields(layout, "simplequeueobject", *(f"buf.{name}" for name in names))
        else:
            self._list = Fields(layout, "simplequeueobject", "lst", "lst_pos")

    def read(self, modules: Modules) -> tuple[RawExecutor, ...]:
        """List the executors of one interpreter."""
        return (*self._of_threads(modules), *self._of_processes(modules))

    def _of_threads(self, modules: Modules) -> Iterator[RawExecutor]:
        known = modules.namespace("concurrent.futures.thread").get("_threads_queues", 0)
        by_queue: dict[int, list[int]] = {}
        for thread, queue in self._weak_items(known):
            by_queue.setdefault(queue, []).append(thread)
        for queue, threads in list(by_queue.items())[:MAXIMUM_EXECUTORS]:
            workers = [self._values(thread) for thread in threads]
            address, values = self._executor(workers)
            queued = self._queue(queue)
            idle = self._values(values.get("_idle_semaphore", 0))
            yield RawExecutor(
                address=address,
                type=self._types.label(self._types.of(address)) if address else None,
                kind=THREADS,
                name_prefix=self._text(values.get("_thread_name_prefix", 0)),
                workers=len(threads),
                maximum_workers=self._number(values.get("_max_workers", 0)),
                idle=self._number(idle.get("_value", 0)),
                idents=tuple(self._number(worker.get("_ident", 0)) or 0 for worker in workers),
                queued=None if queued is None else queued.total,
                work=self._work(queued.addresses if queued else ()),
                shut_down=self._truth(values.get("_shutdown", 0)),
            )

    def _of_processes(self, modules: Modules) -> Iterator[RawExecutor]:
        """Those whose manager thread runs; 3.8 has no such class and shows nothing."""
        known = modules.namespace("concurrent.futures.process").get("_threads_wakeups", 0)
        for thread, _ in self._weak_items(known)[:MAXIMUM_EXECUTORS]:
            manager = self._values(thread)
            if "pending_work_items" not in manager:
                continue
            address = self._behind(manager.get("executor_reference", 0))
            values = self._values(address)
            pending = [item for _, item in self._items(manager["pending_work_items"])]
            yield RawExecutor(
                address=address,
                type=self._types.label(self._types.of(address)) if address else None,
                kind=PROCESSES,
                name_prefix=None,
                workers=len(self._items(manager.get("processes", 0))),
                maximum_workers=self._number(values.get("_max_workers", 0)),
                idle=None,
                idents=(self._number(manager.get("_ident", 0)) or 0,),
                queued=len(pending),
                work=self._work(pending),
                shut_down=self._truth(values.get("_shutdown_thread", 0)),
            )

    def _weak_items(self, address: int) -> list[tuple[int, int]]:
        """The keys that live and the values of a weakref.WeakKeyDictionary."""
        items = self._items(self._values(address).get("data", 0))
        return [(key, value) for key, value in ((self._behind(key), value) for key, value in items) if key]

    def _items(self, address: int) -> list[tuple[int, int]]:
        try:
            return self._dictionaries.items(address) if address else []
        except UNREADABLE:
            return []

    def _behind(self, reference: int) -> int:
        """What a weak reference leads to; 0 if that is dead."""
        if not is_pointer(reference):
            return 0
        (block,) = self._objects.memory.read_many([(reference + self._referent, 8)])
        address = int.from_bytes(block, "little")
        return address if is_pointer(address) and self._kind(address) != "NoneType" else 0

    def _kind(self, address: int) -> str:
        return self._types.name(self._types.of(address))

    def _values(self, address: int) -> dict[str, int]:
        try:
            return self._attributes.of(address) if is_pointer(address) else {}
        except UNREADABLE:
            return {}

    def _executor(self, workers: list[dict[str, int]]) -> tuple[int, dict[str, int]]:
        """The executor of some threads: the first argument of each is a weak reference to it."""
        for worker in workers:
            try:
                arguments = self._containers.items(worker.get("_args", 0), 4).addresses
            except UNREADABLE:
                continue
            if arguments and self._kind(arguments[0]).rpartition(".")[2] in ("weakref", "ReferenceType"):
                address = self._behind(arguments[0])
                values = self._values(address)
                if "_work_queue" in values:
                    return address, values
        return 0, {}

    def _queue(self, address: int) -> Items | None:
        """What lies in a queue.SimpleQueue, of C or of Python; without the marks that end workers."""
        try:
            if self._kind(address) != "_queue.SimpleQueue":
                values = self._values(address)
                items = (
                    self._containers.items(values["_queue"], MAXIMUM_WORK_ITEMS)
                    if "_queue" in values
                    else None
                )
            elif self._is_ring:
                items = self._in_ring(address)
            else:
                inner, first = self._list.read(self._objects.memory, address)
                whole = self._containers.items(inner)
                items = Items(max(0, whole.total - first), whole.addresses[first:], whole.steady)
        except UNREADABLE:
            return None
        if items is None:
            return None
        ends = sum(self._kind(item) == "NoneType" for item in dict.fromkeys(items.addresses))
        if not ends:
            return items
        kept = [item for item in items.addresses if self._kind(item) != "NoneType"]
        return Items(items.total - (len(items.addresses) - len(kept)), kept, items.steady)

    def _in_ring(self, address: int) -> Items:
        first, start, capacity, count = self._ring.read(self._objects.memory, address)
        if not first < capacity <= 1 << 24 or count > capacity:
            return EMPTY
        wanted = min(count, MAXIMUM_WORK_ITEMS)
        places = [start + 8 * ((first + index) % capacity) for index in range(wanted)]
        blocks = self._objects.memory.read_many([(place, 8) for place in places])
        return Items(count, [int.from_bytes(block, "little") for block in blocks], True)

    def _work(self, items: tuple[int, ...] | list[int]) -> tuple[tuple[str, int], ...]:
        """What work items call, most first."""
        counts: Counter[str] = Counter()
        named: dict[int, str] = {}
        for item in items[: self._budget.take(min(len(items), MAXIMUM_WORK_ITEMS))]:
            function = self._called(self._values(item))
            if function not in named:
                named[function] = self._callables.read(function).name
            counts[named[function]] += 1
        return tuple(counts.most_common())

    def _called(self, values: Mapping[str, int]) -> int:
        """The callable of a work item: `fn` to 3.13, the first of `task` from 3.14 on."""
        if "task" not in values:
            return values.get("fn", 0)
        try:
            task = self._containers.items(values["task"], 1).addresses
        except UNREADABLE:
            return 0
        return task[0] if task else 0

    def _text(self, address: int) -> str | None:
        return self._objects.strings([address]).get(address)

    def _number(self, address: int) -> int | None:
        try:
            number = self._objects.integer(address) if self._kind(address) in ("int", "bool") else None
            return number if number is not None and abs(number) < 1 << 63 else None
        except UNREADABLE:
            return None

    def _truth(self, address: int) -> bool | None:
        number = self._number(address)
        return None if number is None else bool(number)
