"""What can be asked of a graph whose objects have names: who holds most, who holds a type, what refers to it.

Bytes pile up under containers (see accumulation). A pile in the dominators' tree belongs to its container
alone: it would be free without it. What several hold together piles up only in the tree of shortest paths;
such a holder has no retained bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence, Set
from typing import TYPE_CHECKING

import numpy as np

from memprobe.heap.accumulation import SMALLEST_SHARE, find_piles
from memprobe.heap.arrays import looked_up, pieces, places_of, view
from memprobe.heap.document import HeldPart, HolderPart, ReferrersPart
from memprobe.heap.graph import HeapGraph
from memprobe.heap.holding import Holding
from memprobe.native import _heap

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]
    Amounts = npt.NDArray[np.uint64]

HELD_TYPES = 5
"""Types that are told of what a holder keeps alive."""

EXCLUSIVE_SHARE = 0.5
"""If less than this of the objects in question has an owner of its own, shortest paths tell better."""


class Questions(ABC):
    """The questions; who answers them knows the names, from the process itself or from a file."""

    graph: HeapGraph

    @property
    @abstractmethod
    def type_names(self) -> list[str]:
        """The names of types by index."""

    @property
    @abstractmethod
    def holding(self) -> Holding:
        """Who holds what."""

    @abstractmethod
    def path(self, node: int) -> str:
        """Return the best path to an object, as text."""

    @abstractmethod
    def length(self, node: int) -> int | None:
        """Return how many entries an object has; None if it is no container."""

    def types_called(self, name: str) -> list[str]:
        """The types that somebody may mean by a name."""
        return called(name, set(self.type_names))

    def nodes_of(self, types: Sequence[str]) -> Mask:
        """Which objects are of one of these types."""
        wanted = np.array([name in types for name in self.type_names], np.bool_)
        return looked_up(wanted, self.graph.types)

    def largest(
        self, most: int, *, keep: Callable[[str], bool] | None = None, details: int = 0
    ) -> list[HolderPart]:
        """Return the holders of most memory; `keep` chooses by their path, `details` get their pieces."""
        share = SMALLEST_SHARE if keep is None else SMALLEST_SHARE / 10
        holding = self.holding
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
        holding, total = self.holding, int(chosen.sum())
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
        for sources in self.holding.referring(chosen):
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

    def _counts(self, chosen: Mask) -> Amounts:
        """How many of the chosen objects each object dominates, itself included."""
        tree = self.holding.dominators
        return view(_heap.retained(tree.above, tree.order, chosen), np.uint64)

    def _counts_on_ways(self, chosen: Mask) -> Amounts:
        """The same on the shortest paths."""
        return view(_heap.sums(self.holding.before, chosen), np.uint64)

    def _holds(self, node: int) -> tuple[HeldPart, ...]:
        """The pieces of which a pile consists: what would go with its holder and is right below it."""
        holding, kinds = self.holding, len(self.type_names)
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
        name = self.type_names[int(self.graph.types[node])]
        return HolderPart(path, name, objects, retained, self.length(node), holds)


def called(name: str, known: Set[str]) -> list[str]:
    """Return the types of this name, or those of which it is the last part."""
    return [name] if name in known else sorted(one for one in known if one.endswith(f".{name}"))
