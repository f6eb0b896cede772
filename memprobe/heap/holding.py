"""Who holds what, from the graph: rows of the document.

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
from memprobe.heap.arrays import view
from memprobe.heap.document import ContainerPart, HeldPart, HolderPart, ReferrersPart
from memprobe.heap.dominators import HOLDING, NO_NODE, dominated_by, find_dominators, retained_bytes
from memprobe.heap.graph import NODE_MASK, HeapGraph
from memprobe.heap.lengths import Lengths
from memprobe.heap.members import Members
from memprobe.heap.naming import Namer
from memprobe.heap.opening import OpenHeap
from memprobe.heap.roots import Root, Roots
from memprobe.native import _heap

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]

HELD_TYPES = 5
"""Types that are told of what a holder keeps alive."""

LONGEST_PATH = 200_000
EXCLUSIVE_SHARE = 0.5
"""If less than this of the objects in question has an owner of its own, shortest paths tell better."""


class Holding:
    """The trees of one graph, and the names of what is in them."""

    def __init__(self, heap: OpenHeap, graph: HeapGraph, members: Members) -> None:
        self.graph = graph
        self.heap = heap
        self._namer = Namer(members)
        self._lengths = Lengths(heap.python.objects, heap.types)
        found = Roots(heap.python, members, heap.mappings).read()
        nodes = [(graph.node(root.place.address), root) for root in found]
        self._roots: dict[int, Root] = {}
        for node, root in nodes:
            if node is not None:
                self._roots.setdefault(node, root)
        self.roots = np.fromiter(self._roots, np.uint32, len(self._roots))
        self.tree = find_dominators(graph.starts, graph.targets, self.roots)
        self.retained = retained_bytes(self.tree, graph.sizes)

    @cached_property
    def type_names(self) -> list[str]:
        """The names of types by index."""
        return [self.heap.types.name(int(address)) for address in self.graph.type_addresses]

    @cached_property
    def _ways(self) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
        graph = self.graph
        before, distance = _heap.reach(graph.starts, graph.targets, self.roots, HOLDING)
        return view(before, np.uint32), view(distance, np.uint32)

    def types_called(self, name: str) -> list[str]:
        """The types that somebody may mean by a name: that one, or those of which it is the last part."""
        known = set(self.type_names)
        return [name] if name in known else sorted(one for one in known if one.endswith(f".{name}"))

    def nodes_of(self, types: Sequence[str]) -> Mask:
        """Which objects are of one of these types."""
        wanted = np.array([name in types for name in self.type_names], np.bool_)
        chosen: Mask = wanted[self.graph.types]
        return chosen

    def largest(
        self, most: int, *, keep: Callable[[str], bool] | None = None, details: int = 0
    ) -> list[HolderPart]:
        """Return the holders of most memory; `keep` chooses by their path, `details` get what they hold."""
        share = SMALLEST_SHARE if keep is None else SMALLEST_SHARE / 10
        piles = find_piles(self.tree.above, self.retained, most, smallest=share)
        counts = self._counts(np.ones(len(self.graph), np.uint32))
        found: list[HolderPart] = []
        for node in map(int, piles.nodes):
            path = self.path(node)
            if keep is not None and not keep(path):
                continue
            holds = self._holds(node) if len(found) < details else ()
            found.append(self._part(node, path, int(counts[node]), int(self.retained[node]), holds))
        return found

    def of(self, chosen: Mask, most: int) -> list[HolderPart]:
        """Return who holds the chosen objects, those first that hold most of them."""
        total = int(chosen.sum())
        counts = self._counts(chosen.astype(np.uint32))
        piles = find_piles(self.tree.above, counts, most, whole=total)
        if int(piles.own.sum()) >= EXCLUSIVE_SHARE * total:
            return [
                self._part(node, self.path(node), int(counts[node]), int(self.retained[node]))
                for node in map(int, piles.nodes)
            ]
        counts = self._counts_on_ways(chosen.astype(np.uint32))
        piles = find_piles(self._ways[0], counts, most, whole=total)
        return [self._part(node, self.path(node), int(counts[node]), None) for node in map(int, piles.nodes)]

    def referrers(self, chosen: Mask, most: int) -> list[ReferrersPart]:
        """Return what refers straight to the chosen objects, by type."""
        graph = self.graph
        edges = np.flatnonzero(chosen[graph.targets & np.uint32(NODE_MASK)])
        sources = np.searchsorted(graph.starts, edges.astype(np.uint64), side="right") - 1
        references = np.bincount(graph.types[sources], minlength=len(self.type_names))
        objects = np.bincount(graph.types[np.unique(sources)], minlength=len(self.type_names))
        first = np.argsort(-references, kind="stable")[:most]
        return [
            ReferrersPart(self.type_names[kind], int(objects[kind]), int(references[kind]))
            for kind in first
            if references[kind]
        ]

    def container(self, address: int, length: int, growth: int) -> ContainerPart:
        """Return a container of the graph that has grown."""
        node = self.graph.node(address)
        assert node is not None
        return ContainerPart(
            self.path(node), self.type_names[int(self.graph.types[node])], address, length, growth
        )

    def path(self, node: int) -> str:
        """Return the shortest path to an object, as text."""
        before = self._ways[0]
        way = [node]
        while way[-1] not in self._roots and len(way) < LONGEST_PATH:
            following = int(before[way[-1]])
            if following == NO_NODE or following >= len(before):
                return f"<{self.type_names[int(self.graph.types[node])]} that nothing known leads to>"
            way.append(following)
        way.reverse()
        return self._namer.path(self._roots[way[0]], [int(self.graph.addresses[one]) for one in way]).text

    def _counts(self, weights: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
        """How many of the chosen objects each object dominates, itself included."""
        return view(_heap.retained(self.tree.above, self.tree.order, weights), np.uint64)

    def _counts_on_ways(self, weights: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
        before, distance = self._ways
        reached = np.flatnonzero(distance != NO_NODE)
        order = reached[np.argsort(distance[reached], kind="stable")].astype(np.uint32)
        return view(_heap.retained(before, order, weights), np.uint64)

    def _holds(self, node: int) -> tuple[HeldPart, ...]:
        inside = dominated_by(self.tree, np.array([node], np.uint32)).copy()
        inside[node] = False
        types = self.graph.types[inside]
        objects = np.bincount(types, minlength=len(self.type_names))
        sizes = np.bincount(types, weights=self.graph.sizes[inside], minlength=len(self.type_names))
        first = np.argsort(-sizes, kind="stable")[:HELD_TYPES]
        return tuple(
            HeldPart(self.type_names[kind], int(objects[kind]), int(sizes[kind]))
            for kind in first
            if objects[kind]
        )

    def _part(
        self, node: int, path: str, objects: int, retained: int | None, holds: tuple[HeldPart, ...] = ()
    ) -> HolderPart:
        address, kind = int(self.graph.addresses[node]), self.graph.type_address(node)
        (length,) = self._lengths.read([(address, kind)])
        return HolderPart(
            path, self.type_names[int(self.graph.types[node])], objects, retained, length, holds
        )
