"""Who holds what, on the arrays of a graph: shortest ways from the roots, retained sizes, referrers.

Three searches, one for each kind of explanation; an object takes the best one that reaches it:

    modules           over references that are sure, round what is only a picture of something else
                      (frames that run, threading's list of threads)
    all known roots   over all references that hold
    native code       from what nobody reaches, though its reference count is above zero
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from memprobe.heap.arrays import pieces, places_of, view
from memprobe.heap.dominators import (
    HOLDING,
    NO_NODE,
    Dominators,
    dominated_by,
    find_dominators,
    retained_bytes,
)
from memprobe.heap.garbage import explain_counts
from memprobe.heap.graph import IMMORTAL, NODE_MASK, STRENGTH_SHIFT, U32, U64, HeapGraph
from memprobe.heap.roots import Root, Tier
from memprobe.heap.shapes import Strength
from memprobe.native import _heap

SURE = 1 << Strength.VISITED | 1 << Strength.OWNED
"""References that surely hold."""

Nodes = npt.NDArray[np.uint32]


class Holding:
    """Answers who holds what in one graph, given its roots."""

    def __init__(self, graph: HeapGraph, roots: Sequence[Root], deferred: Iterable[int] = ()) -> None:
        self.graph = graph
        """Without its reference counts once this is made: `unexplained` has what is left of them."""
        self.roots: dict[int, Root] = {}
        """By the number of the object that a root refers to, the best root for each."""
        self._perhaps: dict[int, Root] = {}
        self._counted: dict[int, int] = {}
        for root in roots:
            node = graph.node(root.place.address)
            if node is None:
                continue
            if root.tier is Tier.GUESSED:
                self._perhaps.setdefault(node, root)
            else:
                self.roots.setdefault(node, root)
                self._counted[node] = self._counted.get(node, 0) + root.counted
        self._deferred = [node for node in map(graph.node, deferred) if node is not None]
        self.before: U32 = np.full(len(graph), NO_NODE, np.uint32)
        """Of each object the one before it on the best way to it; len(graph) for roots, NO_NODE if unheld."""
        self._search_modules()
        self._search(np.concatenate((self._numbers(), self._put_off())))
        self._search(self._guessing())
        self._believe()
        self.native = self._find_native()
        """Objects that only native code can be holding."""
        self._search(self.native)
        # What they cannot explain is known now, and the room is needed for the dominators.
        self.graph = replace(graph, refcounts=np.empty(0, np.uint32))

    def way(self, node: int) -> list[int]:
        """Return the numbers of the objects on the best way to one, the root first; [] if it is not held."""
        found: list[int] = []
        while node != len(self.graph):
            found.append(node)
            node = int(self.before[node])
            if node == NO_NODE:
                return []
        return found[::-1]

    def is_held(self) -> npt.NDArray[np.bool_]:
        """Say of each object whether some root reaches it."""
        return np.asarray(self.before != NO_NODE, np.bool_)

    @cached_property
    def dominators(self) -> Dominators:
        """The dominator tree, seen from all roots."""
        roots = np.concatenate((self._numbers(), self.native)).astype(np.uint32)
        return find_dominators(self.graph.starts, self.graph.targets, roots, HOLDING)

    @cached_property
    def retained(self) -> U64:
        """Of each object the bytes that would be free if it went."""
        return retained_bytes(self.dominators, self.graph.sizes)

    @cached_property
    def unexplained(self) -> npt.NDArray[np.int32]:
        """Of each object the references that are counted and that nothing known has; 0 if immortal."""
        graph = self.graph
        immortal = graph.flags & IMMORTAL != 0
        return explain_counts(
            graph.starts, graph.targets, graph.refcounts, immortal=immortal, from_roots=self._counted
        )

    def retained_by(self, nodes: Nodes) -> int:
        """Return the bytes that would be free if all of some objects went."""
        if not len(nodes):
            return 0
        return int(self.graph.sizes[dominated_by(self.dominators, nodes)].sum(dtype=np.uint64))

    def referrers(self, nodes: npt.NDArray[np.integer], strengths: int = HOLDING) -> Nodes:
        """Return the number of each object that refers to one of some objects, once for each reference."""
        wanted = np.zeros(len(self.graph), np.bool_)
        wanted[nodes] = True
        return np.concatenate([np.empty(0, np.uint32), *self.referring(wanted, strengths)])

    def referring(self, wanted: npt.NDArray[np.bool_], strengths: int = HOLDING) -> Iterator[Nodes]:
        """Yield the same in pieces; `wanted` says of each object whether it is one of them."""
        graph = self.graph
        for part in pieces(len(graph.targets)):
            targets = graph.targets[part]
            follows = (strengths >> (targets >> STRENGTH_SHIFT)) & 1 != 0
            edges = np.flatnonzero(follows & wanted[targets & np.uint32(NODE_MASK)]) + part.start
            yield graph.sources(edges)

    def _numbers(self, tier: Tier = Tier.NATIVE) -> Nodes:
        """Return the numbers of the roots up to a tier, the best first."""
        found = [node for node, root in self.roots.items() if root.tier <= tier]
        return np.array(sorted(found, key=lambda node: self.roots[node].tier), np.uint32)

    def _search_modules(self) -> None:
        """Search from the modules, but do not go on from what is deferred."""
        targets = self.graph.targets
        if self._deferred:
            targets = targets.copy()
            weak = np.uint32(Strength.WEAK << STRENGTH_SHIFT)
            for node in self._deferred:
                edges = slice(int(self.graph.starts[node]), int(self.graph.starts[node + 1]))
                targets[edges] = targets[edges] & np.uint32(NODE_MASK) | weak
        self._search(self._numbers(Tier.MODULE), targets, SURE)

    def _search(self, roots: Nodes, targets: U32 | None = None, strengths: int = HOLDING) -> None:
        """Find the ways to what no search before has reached, over this and from the roots."""
        if not len(roots):
            return
        targets = self.graph.targets if targets is None else targets
        before = _heap.reach(self.graph.starts, targets, roots.astype(np.uint32), strengths, self.before)
        self.before = view(before, np.uint32)

    def _put_off(self) -> Nodes:
        """Return what was reached from the modules, but not gone on from."""
        return np.array([node for node in self._deferred if self.before[node] != NO_NODE], np.uint32)

    def _guessing(self) -> Nodes:
        """Find the objects that were reached and have references that only perhaps are any.

        All others go on to what was reached as well: that is how it was searched.
        """
        graph, found = self.graph, [np.empty(0, np.uint32)]
        for part in pieces(len(graph.targets)):
            guessed = np.flatnonzero(graph.targets[part] >> STRENGTH_SHIFT == Strength.GUESSED)
            found.append(np.unique(graph.sources(guessed + part.start)))
        sources = np.unique(np.concatenate(found))
        return np.asarray(sources[self.before[sources] != NO_NODE], np.uint32)

    def _believe(self) -> None:
        """Take what is perhaps a root for one, if nothing else explains the references to it."""
        if self.graph.is_part:
            return
        believed = {
            node: root
            for node, root in self._perhaps.items()
            if self.before[node] == NO_NODE and self.unexplained[node] > 0
        }
        self.roots.update(believed)
        self._search(np.array(list(believed), np.uint32))

    def _find_native(self) -> Nodes:
        """Find the objects that no root reaches, though more refers to them than other objects do."""
        if self.graph.is_part:
            return np.empty(0, np.uint32)
        unheld = self.before == NO_NODE
        return places_of(unheld & (self.unexplained > 0))
