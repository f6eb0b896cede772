"""What the graph tells, as rows of the document: who holds most, who holds a type, what refers to it.

Bytes pile up under containers (see accumulation). A pile in the dominators' tree belongs to its container
alone: it would be free without it. What several hold together piles up only in the tree of shortest paths;
such a holder has no retained bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from memprobe.heap.accumulation import SMALLEST_SHARE, find_piles
from memprobe.heap.address_set import AddressSet
from memprobe.heap.arrays import looked_up, pieces, places_of, view
from memprobe.heap.document import (
    ContainerPart,
    HeldPart,
    HolderPart,
    ListenersPart,
    ReferrersPart,
    UnexplainedPart,
)
from memprobe.heap.graph import HeapGraph
from memprobe.heap.holders import Holders
from memprobe.heap.holding import Holding
from memprobe.heap.lengths import Lengths
from memprobe.heap.listeners import Listeners
from memprobe.heap.members import Members
from memprobe.heap.opening import OpenHeap
from memprobe.heap.roots import Root, Roots
from memprobe.native import _heap

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]
    Amounts = npt.NDArray[np.uint64]

HELD_TYPES = 5
"""Types that are told of what a holder keeps alive."""

EXCLUSIVE_SHARE = 0.5
"""If less than this of the objects in question has an owner of its own, shortest paths tell better."""


class Answers:
    """Everything that is asked of one graph."""

    def __init__(self, heap: OpenHeap, graph: HeapGraph, members: Members | None = None) -> None:
        """`members` are those of the same target, if there are."""
        self.heap = heap
        self.graph = graph
        self._lengths = Lengths(heap.python.objects, heap.types)
        self._members = Members(heap.python) if members is None else members
        self.roots: list[Root] = []
        """All of them, an object perhaps several times; empty until they have been read."""
        self._deferred: list[int] = []

    def read_roots(self) -> None:
        """Read where holding begins; what comes after this needs the target for names only."""
        heap, graph = self.heap, self.graph
        roots = Roots(heap.python, self._members, heap.mappings)
        self.take_roots(roots.read(lambda kind: graph.node(kind) is None), roots.deferred())

    def take_roots(self, roots: list[Root], deferred: list[int]) -> None:
        """Take the roots from who had to read them before there was a graph."""
        self.roots, self._deferred = roots, deferred

    @cached_property
    def holders(self) -> Holders:
        """Who names the holders; the roots must have been read."""
        holding = Holding(self.graph, self.roots, self._deferred)
        self.graph = holding.graph
        return Holders(self.heap.python, holding, self._members, self.heap.mappings)

    @cached_property
    def type_names(self) -> list[str]:
        """The names of types by index."""
        return [self.heap.types.name(int(address)) for address in self.graph.type_addresses]

    def types_called(self, name: str) -> list[str]:
        """The types that somebody may mean by a name: that one, or those of which it is the last part."""
        known = set(self.type_names)
        return [name] if name in known else sorted(one for one in known if one.endswith(f".{name}"))

    def nodes_of(self, types: Sequence[str]) -> Mask:
        """Which objects are of one of these types."""
        wanted = np.array([name in types for name in self.type_names], np.bool_)
        return looked_up(wanted, self.graph.types)

    def is_new(self, before: AddressSet) -> Mask:
        """Which objects lie where there was none. A new object in the place of an old one is missed."""
        return ~before.contains(self.graph.addresses)

    def largest(
        self, most: int, *, keep: Callable[[str], bool] | None = None, details: int = 0
    ) -> list[HolderPart]:
        """Return the holders of most memory; `keep` chooses by their path, `details` get their pieces."""
        share = SMALLEST_SHARE if keep is None else SMALLEST_SHARE / 10
        holding = self.holders.holding
        piles = find_piles(holding.dominators.above, holding.retained, most, smallest=share)
        counts = self._counts(np.ones(len(self.graph), np.bool_))
        found: list[HolderPart] = []
        for node in map(int, piles.nodes):
            path = self.path(node)
            if keep is not None and not keep(path):
                continue
            holds = self._holds(node) if len(found) < details else ()
            found.append(self._part(node, path, int(counts[node]), int(holding.retained[node]), holds))
        return found

    def of(self, chosen: Mask, most: int) -> list[HolderPart]:
        """Return who holds the chosen objects, those first that hold most of them."""
        holding, total = self.holders.holding, int(chosen.sum())
        counts = self._counts(chosen)
        piles = find_piles(holding.dominators.above, counts, most, whole=total)
        retained: Amounts | None = holding.retained
        if int(piles.own.sum()) < EXCLUSIVE_SHARE * total:
            counts, retained = self._counts_on_ways(chosen), None
            piles = find_piles(holding.before, counts, most, whole=total)
        return [
            self._part(
                node, self.path(node), int(counts[node]), None if retained is None else int(retained[node])
            )
            for node in map(int, piles.nodes)
        ]

    def referrers(self, chosen: Mask, most: int) -> list[ReferrersPart]:
        """Return what refers straight to the chosen objects, by type."""
        graph, kinds = self.graph, len(self.type_names)
        refers = np.zeros(len(graph), np.bool_)
        references, objects = np.zeros(kinds, np.int64), np.zeros(kinds, np.int64)
        for sources in self.holders.holding.referring(chosen):
            refers[sources] = True
            references += np.bincount(graph.types[sources], minlength=kinds)
        for part in pieces(len(graph)):
            objects += np.bincount(graph.types[part][refers[part]], minlength=kinds)
        first = np.argsort(-references, kind="stable")[:most]
        return [
            ReferrersPart(self.type_names[kind], int(objects[kind]), int(references[kind]))
            for kind in first
            if references[kind]
        ]

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
        nodes = nodes[_largest(graph.sizes[nodes], most)]
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

    def _counts(self, chosen: Mask) -> Amounts:
        """How many of the chosen objects each object dominates, itself included."""
        tree = self.holders.holding.dominators
        return view(_heap.retained(tree.above, tree.order, chosen), np.uint64)

    def _counts_on_ways(self, chosen: Mask) -> Amounts:
        """The same on the shortest paths."""
        return view(_heap.sums(self.holders.holding.before, chosen), np.uint64)

    def _holds(self, node: int) -> tuple[HeldPart, ...]:
        """The pieces of which a pile consists: what would go with its holder and is right below it."""
        holding, kinds = self.holders.holding, len(self.type_names)
        below = places_of(holding.dominators.above == node)
        types = self.graph.types[below]
        objects = np.bincount(types, minlength=kinds)
        sizes = np.bincount(types, weights=holding.retained[below], minlength=kinds)
        return tuple(
            HeldPart(self.type_names[kind], int(objects[kind]), int(sizes[kind]))
            for kind in np.argsort(-sizes, kind="stable")[:HELD_TYPES]
            if objects[kind]
        )

    def _part(
        self, node: int, path: str, objects: int, retained: int | None, holds: tuple[HeldPart, ...] = ()
    ) -> HolderPart:
        address, kind = int(self.graph.addresses[node]), self.graph.type_address(node)
        (length,) = self._lengths.read([(address, kind)])
        name = self.type_names[int(self.graph.types[node])]
        return HolderPart(path, name, objects, retained, length, holds)


def _largest(amounts: npt.NDArray[np.uint32], most: int) -> npt.NDArray[np.intp]:
    """Where the largest amounts are, the largest first; of equal ones those that come first."""
    if len(amounts) > most:
        # Those below the last of them need not be sorted.
        least = np.partition(amounts, len(amounts) - most)[len(amounts) - most]
        places = np.flatnonzero(amounts >= least)
    else:
        places = np.arange(len(amounts))
    return places[np.argsort(-amounts[places].astype(np.int64), kind="stable")[:most]]
