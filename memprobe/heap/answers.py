"""What the graph of a running process tells, as rows of the document: names are read from the process."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from memprobe.heap.address_set import AddressSet
from memprobe.heap.arrays import looked_up, places_of
from memprobe.heap.document import ContainerPart, ListenersPart, UnexplainedPart
from memprobe.heap.graph import HeapGraph
from memprobe.heap.holders import Holders
from memprobe.heap.holding import Holding
from memprobe.heap.lengths import Lengths
from memprobe.heap.listeners import Listeners
from memprobe.heap.members import Members
from memprobe.heap.opening import OpenHeap
from memprobe.heap.questions import Questions
from memprobe.heap.roots import Root, Roots

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]


class Answers(Questions):
    """Everything that is asked of one graph."""

    def __init__(self, heap: OpenHeap, graph: HeapGraph, members: Members | None = None) -> None:
        """`members` are those of the same target, if there are."""
        self.heap = heap
        self.graph = graph
        self._lengths = Lengths(heap.python.objects, heap.types)
        self._members = Members(heap.python) if members is None else members
        self.roots: list[Root] = []
        """All of them, an object perhaps several times; empty until they have been read."""
        self.deferred: list[int] = []
        """Objects from which is gone on only when nothing else leads further: see `Roots.deferred`."""

    def read_roots(self) -> None:
        """Read where holding begins; what comes after this needs the target for names only."""
        heap, graph = self.heap, self.graph
        roots = Roots(heap.python, self._members, heap.mappings)
        self.take_roots(roots.read(lambda kind: graph.node(kind) is None), roots.deferred())

    def take_roots(self, roots: list[Root], deferred: list[int]) -> None:
        """Take the roots from who had to read them before there was a graph."""
        self.roots, self.deferred = roots, deferred

    @cached_property
    def holders(self) -> Holders:
        """Who names the holders; the roots must have been read."""
        holding = Holding(self.graph, self.roots, self.deferred)
        self.graph = holding.graph
        return Holders(self.heap.python, holding, self._members, self.heap.mappings)

    @property
    def holding(self) -> Holding:
        """Who holds what."""
        return self.holders.holding

    @cached_property
    def type_names(self) -> list[str]:
        """The names of types by index."""
        return [self.heap.types.name(int(address)) for address in self.graph.type_addresses]

    def is_new(self, before: AddressSet) -> Mask:
        """Which objects lie where there was none. A new object in the place of an old one is missed."""
        return ~before.contains(self.graph.addresses)

    def unexplained(self, most: int) -> list[UnexplainedPart]:
        """Return what has references that nothing known has, by type; what would be free first."""
        found = self.holders.unexplained()
        found.sort(key=lambda one: (-one.retained_bytes, -one.references))
        return [
            UnexplainedPart(
                self.heap.types.name(one.type_address),
                one.path,
                one.objects,
                one.references,
                one.unheld,
                one.retained_bytes,
            )
            for one in found[:most]
        ]

    def listeners(self, most: int) -> list[ListenersPart]:
        """Return the collections of callables, the longest first."""
        return [
            ListenersPart(one.path, one.type, one.length, one.kinds)
            for one in Listeners(self.holders).find(most)
        ]

    def lengths(self, most: int) -> dict[int, tuple[int, int]]:
        """Return type address and length of the largest containers, by address."""
        graph, lengths = self.graph, self._lengths
        kinds = [lengths.offset(int(kind)) is not None for kind in graph.type_addresses]
        nodes = places_of(looked_up(np.array(kinds, np.bool_), graph.types))
        nodes = nodes[largest_of(graph.sizes[nodes], most)]
        pairs = [(int(graph.addresses[node]), graph.type_address(int(node))) for node in nodes]
        read = zip(pairs, lengths.read(pairs), strict=True)
        return {address: (kind, length) for (address, kind), length in read if length is not None}

    def container(self, address: int, length: int, growth: int | None) -> ContainerPart:
        """Return a container of the graph."""
        node = self.graph.node(address)
        assert node is not None
        return ContainerPart(
            self.path(node), self.type_names[int(self.graph.types[node])], address, length, growth
        )

    def path(self, node: int) -> str:
        """Return the best path to an object, as text."""
        path = self.holders.path_to(node)
        if path is not None:
            return path.text
        return f"<{self.type_names[int(self.graph.types[node])]} that nothing leads to>"

    def length(self, node: int) -> int | None:
        """Return how many entries an object has now; None if it is no container."""
        pair = int(self.graph.addresses[node]), self.graph.type_address(node)
        return self._lengths.read([pair])[0]


def largest_of(amounts: npt.NDArray[np.unsignedinteger[Any]], most: int) -> npt.NDArray[np.intp]:
    """Where the largest amounts are, the largest first; of equal ones those that come first."""
    if len(amounts) > most:
        # Those below the last of them need not be sorted.
        least = np.partition(amounts, len(amounts) - most)[len(amounts) - most]
        places = np.flatnonzero(amounts >= least)
    else:
        places = np.arange(len(amounts))
    return places[np.argsort(-amounts[places].astype(np.int64), kind="stable")[:most]]
