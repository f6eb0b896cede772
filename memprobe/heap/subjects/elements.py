"""What a collection is filled with: the type that tells most of it, and what sort of thing that is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from memprobe.heap.answers import Answers
from memprobe.heap.graph import HeapGraph
from memprobe.heap.members import Members
from memprobe.heap.shapes import Strength
from memprobe.heap.subjects.kinds import MAXIMUM_BASES, Kinds
from memprobe.heap.subjects.registered import Registered
from memprobe.heap.waste import defines
from memprobe.target.cpython.objects import UNREADABLE
from memprobe.vocab.subject import Elements

SAMPLED = 64
"""Entries that are looked at, evenly over the collection."""

SHARE = 0.4
"""What is so frequent is what the collection is for: in a dict, values are half of what it refers to."""

INNER = 6
"""References of a small tuple that are looked at."""

_CALLABLE = {
    "function",
    "method",
    "builtin_function_or_method",
    "functools.partial",
    "functools._lru_cache_wrapper",
    "weakref.WeakMethod",
    "WeakMethod",
    "logging.Handler",
    "logging.Filter",
}
_LISTENER = re.compile(r"(Listener|Observer|Subscriber|Subscription|Callback|Hook)$")
_SORTS = (
    (Elements.TASKS, {"_asyncio.Task", "_asyncio.Future", "asyncio.futures.Future", "coroutine"}),
    (Elements.TASKS, {"concurrent.futures._base.Future", "asyncio.tasks.Task"}),
    (Elements.TIMERS, {"asyncio.events.TimerHandle", "threading.Timer", "sched.Event"}),
    (Elements.THREADS, {"threading.Thread", "_thread.lock", "_thread.RLock", "_thread._localdummy"}),
    (Elements.SOCKETS, {"_socket.socket", "ssl.SSLObject", "asyncio.transports._FlowControlMixin"}),
    (Elements.SOCKETS, {"asyncio.transports.Transport", "asyncio.transports.DatagramTransport"}),
    (Elements.HANDLES, {"_io._IOBase", "io.IOBase", "select.epoll", "mmap.mmap", "posix.ScandirIterator"}),
    (Elements.SOCKETS, {"asyncio.streams.StreamWriter", "asyncio.streams.StreamReader"}),
    (
        Elements.HANDLES,
        {"selectors.SelectorKey", "subprocess.Popen", "multiprocessing.connection._ConnectionBase"},
    ),
    (Elements.HANDLES, {"sqlite3.Connection", "zipfile.ZipFile", "tarfile.TarFile"}),
    (Elements.EXCEPTIONS, {"BaseException", "traceback", "frame"}),
)
_ATOMS = {"str", "int", "float", "bytes", "bool", "NoneType", "complex"}
_LOCKS = {"_thread.lock", "_thread.RLock"}
_WEAK = {"weakref", "weakref.ReferenceType", "weakref.KeyedRef"}


class Filling(NamedTuple):
    """What is in a collection."""

    type: str
    """"" if it has nothing but what is there once and for all: None, small numbers."""

    elements: Elements

    notes: tuple[str, ...] = ()
    """Of callbacks, what sort they are."""


NOTHING = Filling("", Elements.UNKNOWN)


class Fillings:
    """Tells what collections of one graph are filled with."""

    def __init__(self, answers: Answers, kinds: Kinds) -> None:
        self._graph: HeapGraph = answers.graph
        self._heap = answers.heap
        self._members: Members = answers.holders.members
        self._kinds = kinds
        self._registered = Registered(answers, kinds)
        self._sorts: dict[int, Elements] = {}

    def of(self, nodes: Sequence[int]) -> Filling:
        """Return what some collections are filled with, together."""
        found = np.concatenate([np.empty(0, np.uint32), *map(self._sample, nodes)])
        if not len(found):
            return NOTHING
        counts = Counter(self._graph.types[found].tolist())
        kind = self._telling(counts)
        filling = self._filling(kind, found[self._graph.types[found] == kind])
        if len(nodes) > 1 or filling.elements is not Elements.CALLABLES:
            return filling
        return filling._replace(notes=tuple(self._registered.notes(nodes[0], filling.type)))

    def _sample(self, node: int) -> npt.NDArray[np.uint32]:
        """Return some of the entries of a collection."""
        own = 1 << Strength.VISITED
        found = self._graph.referents(node, own)
        if not len(found):
            found = self._graph.referents(node, own | 1 << Strength.OWNED)
        found = found[self._graph.addresses[found] != self._graph.type_address(node)]
        places = np.linspace(0, len(found) - 1, min(len(found), SAMPLED)).astype(np.int64)
        return self._looked_through(np.unique(found[places]))

    def _looked_through(self, nodes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """Put in place of the links of an lru_cache what they refer to."""
        names = self._kinds.names
        inner = [
            self._graph.referents(int(node))[-1:]
            if names[self._graph.types[node]].endswith("_lru_list_elem")
            else nodes[index : index + 1]
            for index, node in enumerate(nodes)
        ]
        return np.concatenate(inner) if inner else nodes

    def _telling(self, counts: Counter[int]) -> int:
        """Return the type that tells most: not the keys, not what goes along with the thing itself."""
        total = counts.total()
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        often = [kind for kind, count in ranked if count >= SHARE * total] or [ranked[0][0]]
        return min(often, key=lambda kind: self._dullness(self._kinds.names[kind]))

    def _dullness(self, name: str) -> int:
        ranks = (_ATOMS, {"tuple"}, _WEAK, _LOCKS)
        return next((len(ranks) - rank for rank, names in enumerate(ranks) if name in names), 0)

    def _filling(self, kind: int, nodes: npt.NDArray[np.uint32]) -> Filling:
        """Name a type; of tuples and weak references what they are about decides what sort it is."""
        name = self._kinds.names[kind]
        sort = self.sort(kind)
        if sort is Elements.DATA and self._kinds.bases[kind] == "tuple":
            sort = self._inner_sort(nodes, 1 << Strength.VISITED | 1 << Strength.OWNED)
        elif sort is Elements.DATA and self._kinds.bases[kind] in _WEAK:
            sort = self._inner_sort(nodes, 1 << Strength.WEAK, {Elements.CALLABLES})
        return Filling(name, sort)

    def _inner_sort(
        self, nodes: npt.NDArray[np.uint32], strengths: int, allowed: set[Elements] | None = None
    ) -> Elements:
        """Return what most of some small objects refer to, if that is of a sort of its own."""
        counts: Counter[Elements] = Counter()
        for node in nodes[:SAMPLED]:
            inside = self._graph.referents(int(node), strengths)[:INNER]
            counts.update({self.sort(int(kind)) for kind in self._graph.types[inside]})
        for sort, count in counts.most_common():
            if sort is not Elements.DATA and count >= 2 * SHARE * min(len(nodes), SAMPLED):
                return sort if allowed is None or sort in allowed else Elements.DATA
        return Elements.DATA

    def sort(self, kind: int) -> Elements:
        """Return what sort of thing the objects of a type are."""
        if kind not in self._sorts:
            self._sorts[kind] = self._read_sort(kind)
        return self._sorts[kind]

    def _read_sort(self, kind: int) -> Elements:
        ancestors = self._kinds.ancestors(kind)
        for sort, names in _SORTS:
            if not names.isdisjoint(ancestors):
                return sort
        if not _CALLABLE.isdisjoint(ancestors) or any(map(_LISTENER.search, ancestors)):
            return Elements.CALLABLES
        return Elements.CALLABLES if self._has_call(kind) else Elements.DATA

    def _has_call(self, kind: int) -> bool:
        """Say whether a class made by Python defines `__call__`."""
        address = int(self._graph.type_addresses[kind])
        if "type" in self._kinds.ancestors(kind):
            return False
        try:
            for _ in range(MAXIMUM_BASES):
                facts = self._members.shapes.facts(address)
                # Every C type that can be called, such as that of weak references, has the method.
                if not facts.is_python_class:
                    return False
                if defines(self._heap, address, "__call__"):
                    return True
                address = facts.base
        except UNREADABLE:
            pass
        return False
