"""Which collections are the same thing many times: one list of each of 10,000 sessions.

The way to a collection leads over objects that are there once (a module, what has a name in it, what has a
name in that) until it passes through a collection: whatever lies behind that has no name, and there may be
many of its sort. Two of those are the same thing if the ways to them part at the same collection and go on
over the same types. The links of a chain are one thing, too. So places are what the paths would be without
keys, found without naming any.

In the graph of a part of the heap (`memprobe.heap.part`) a place is whole if all collections there are in it:
nothing on the ways to them was cut, and they end before the part does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from memprobe.heap.answers import Answers
from memprobe.heap.arrays import pieces
from memprobe.heap.dominators import NO_NODE
from memprobe.heap.graph import CUT, NODE_MASK
from memprobe.heap.references import Role
from memprobe.heap.roots import Root
from memprobe.heap.subjects.cut import made_whole
from memprobe.heap.subjects.kinds import Flags, Kinds

Nodes = npt.NDArray[np.uint32]
Hashes = npt.NDArray[np.uint64]

DEPTH = 24
"""Objects of a way that are looked at, from its end; the list at the end of a very long chain has no name."""

HEAVY = 64
"""Collections of so many words are taken one and all."""

MOST_LIGHT = 1 << 16
"""Of smaller ones so many at most: the same ones at every look, chosen by their addresses."""

_LRU_BYTES = 256
"""An lru_cache is no larger; its dict, its function and so on are in it, its results are not."""

_WORD_SHIFT = 4
_OVERHEAD_BYTES = 128
_FEW = 8
_MIX = np.uint64(0x9E3779B97F4A7C15)
_NODE = np.uint32(NODE_MASK)


@dataclass(frozen=True, slots=True)
class Place:
    """All collections that are the same thing."""

    number: int
    """The same at the next look."""

    nodes: Nodes
    """The collections, the heaviest first; of very many light ones only some."""

    stands_for: npt.NDArray[np.int64]
    """Of each of these how many it speaks for: itself alone, unless it is light and one of very many."""

    entries: int
    """About how many entries they have: estimated from what they refer to and the memory they take."""

    members: int
    """How many collections there are."""

    is_single: bool
    """Whether there can be only one: all objects on the way to it have names."""


class Places:
    """The collections of one graph by place."""

    def __init__(self, answers: Answers, kinds: Kinds) -> None:
        self._graph = answers.graph
        self._holding = answers.holders.holding
        self._memory = answers.heap.python.objects.memory
        self._answers = answers
        self._kinds = kinds
        self.namespaces = self._namespaces()
        nodes, weights, scale = self._candidates()
        ways = self._ways(nodes)
        self._numbers, self._singles = self._placed(nodes, ways)
        whole = self._is_whole(ways)
        self._nodes = nodes
        self._stands_for = np.where((weights < HEAVY) & ~self._singles, scale, 1)
        self._order = np.lexsort((self._graph.addresses[nodes], -weights, self._numbers))
        self._sorted = self._numbers[self._order]
        self.known, self._starts, self._looked_at = np.unique(
            self._sorted, return_index=True, return_counts=True
        )
        """The numbers of all places, in order."""
        self.members = self._added_up(self._stands_for)
        """Of each place how many collections there are."""
        self.entries = self._added_up(weights * self._stands_for)
        """Of each place about how many entries there are."""
        self.are_whole: Flags = np.minimum.reduceat(whole[self._order], self._starts) if len(nodes) else whole
        """Of each place whether all collections there are known."""

    @property
    def first(self) -> Nodes:
        """Of each place its heaviest collection."""
        return self._nodes[self._order[self._starts]]

    @property
    def are_single(self) -> Flags:
        """Of each place whether there can be only one."""
        return self._singles[self._order[self._starts]]

    def place(self, index: int) -> Place:
        """The place with an index in `known`."""
        first = int(self._starts[index])
        chosen = self._order[first : first + int(self._looked_at[index])]
        return Place(
            int(self.known[index]),
            self._nodes[chosen],
            self._stands_for[chosen],
            int(self.entries[index]),
            int(self.members[index]),
            bool(self._singles[chosen[0]]),
        )

    def _added_up(self, amounts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Add up by place what each collection has."""
        return np.add.reduceat(amounts[self._order], self._starts) if len(amounts) else self._looked_at

    def _namespaces(self) -> Flags:
        """Which objects are dicts of names: of modules, of classes, of functions."""
        graph, found = self._graph, np.zeros(len(self._graph), np.bool_)
        for node, root in self._holding.roots.items():
            found[node] = _is_namespace(root)
        owners = self._kinds.objects(self._kinds.built_on({"type", "function", "module"}))
        dicts = self._kinds.objects(self._kinds.built_on({"dict"}))
        for part in pieces(len(graph)):
            if owners[part].any():
                starts = graph.starts[part.start : part.stop + 1].astype(np.int64)
                targets = graph.targets[starts[0] : starts[-1]]
                held = targets[np.repeat(owners[part], np.diff(starts))] & _NODE
                found[held[dicts[held]]] = True
        return found

    def _candidates(self) -> tuple[Nodes, npt.NDArray[np.int64], int]:
        """Return the collections to place, what each weighs, and for how many each light one stands."""
        graph = self._graph
        held = self._holding.before != NO_NODE
        chosen = self._kinds.objects(self._kinds.collections) & held & ~self.namespaces
        nodes = np.flatnonzero(chosen).astype(np.uint32)
        degrees = (graph.starts[nodes.astype(np.int64) + 1] - graph.starts[nodes]).astype(np.int64)
        words = (graph.sizes[nodes].astype(np.int64) - _OVERHEAD_BYTES) >> _WORD_SHIFT
        weights = np.maximum(degrees, words)
        if graph.is_part:
            weights = made_whole(self._answers, self._kinds, nodes, weights)
        light = weights < HEAVY
        scale = 1
        while int(light.sum()) > MOST_LIGHT * scale:
            scale *= 2
        if scale > 1:
            lots = (_mixed(graph.addresses[nodes] >> np.uint64(4)) >> np.uint64(40)) % np.uint64(scale)
            taken = ~light | (lots == 0)
            nodes, weights = nodes[taken], weights[taken]
        own = self._own_dicts(nodes)
        return nodes[~own], weights[~own], scale

    def _own_dicts(self, nodes: Nodes) -> Flags:
        """Say which of some objects are the `__dict__` of the instance that holds them."""
        graph, before = self._graph, self._holding.before
        found = np.zeros(len(nodes), np.bool_)
        above = before[nodes]
        inside = np.flatnonzero(above < len(graph))
        places = self._kinds.dict_places[graph.types[above[inside]]]
        inside, places = inside[places != 0], places[places != 0]
        words = (graph.addresses[above[inside]].astype(np.int64) + places).tolist()
        read = self._memory.read_many([(word, 8) for word in words])
        pointers = np.array([int.from_bytes(block, "little") for block in read], np.uint64)
        found[inside] = pointers == graph.addresses[nodes[inside]]
        return found

    def _is_whole(self, ways: list[Nodes]) -> Flags:
        """Say of each collection whether its like are all in the graph, too."""
        graph = self._graph
        whole = np.ones(len(ways[0]), np.bool_)
        if not graph.is_part:
            return whole
        steps = np.zeros(len(ways[0]), np.int64)
        for way in ways[1:]:
            there = np.flatnonzero(way < len(graph))
            steps[there] += 1
            whole[there] &= graph.flags[way[there]] & CUT == 0
        return whole & (steps <= graph.counters["levels"])

    def _placed(self, nodes: Nodes, ways: list[Nodes]) -> tuple[Hashes, Flags]:
        """Return the place of each collection, and whether it is the only one there can be."""
        graph = self._graph
        numbers = np.zeros(len(nodes), np.uint64)
        single = np.ones(len(nodes), np.bool_)
        passed = np.zeros(len(nodes), np.bool_)
        kinds = graph.type_addresses
        for depth in range(DEPTH - 1, -1, -1):
            way = ways[depth]
            there = way < len(graph)
            at = way[there]
            if depth == DEPTH - 1:
                # Whatever is above is not looked at: these have no name of their own.
                cut = self._holding.before[at] < len(graph)
                single[np.flatnonzero(there)[cut]] = False
            # Neither has what native code holds.
            single[there] &= ~np.isin(at, self._holding.native)
            linked = self._is_linked(at) & ~passed[there]
            single[there] &= ~passed[there] & ~linked & ~self._is_cached(at)
            alone = single[there]
            own = _mixed(np.where(alone, graph.addresses[at], kinds[graph.types[at]]))
            follows = np.where(alone, own, _mixed(numbers[there] ^ own))
            numbers[there] = np.where(linked, numbers[there], follows)
            passed[there] = self._is_crowd(at)
        return numbers, single

    def _is_linked(self, nodes: Nodes) -> Flags:
        """Say which objects are links of a chain: the one before is of the same type, and no collection."""
        types, above = self._graph.types, self._holding.before[nodes]
        inside = (above < len(self._graph)) & ~(self._crowds | self._tuples)[types[nodes]]
        found = np.zeros(len(nodes), np.bool_)
        found[inside] = types[above[inside]] == types[nodes[inside]]
        return found

    def _is_cached(self, nodes: Nodes) -> Flags:
        """Say which objects are what an lru_cache remembers: it holds them itself, beside its own dict."""
        graph, above = self._graph, self._holding.before[nodes]
        found = np.zeros(len(nodes), np.bool_)
        inside = np.flatnonzero(above < len(graph))
        inside = inside[self._lru_caches[graph.types[above[inside]]]]
        if len(inside):
            caches = np.unique(above[inside])
            regions = [(start, _LRU_BYTES) for start in graph.addresses[caches].tolist()]
            bodies = b"".join(part[: len(part) & ~7] for part in self._memory.read_many(regions))
            found[inside] = ~np.isin(graph.addresses[nodes[inside]], np.frombuffer(bodies, "<u8"))
        return found

    def _ways(self, nodes: Nodes) -> list[Nodes]:
        """Return the objects on the ways to some: they themselves, those before them, and so on."""
        before, end = self._holding.before, np.uint32(len(self._graph))
        ways = [nodes]
        for _ in range(DEPTH - 1):
            last = ways[-1]
            inside = last < end
            following = np.full(len(last), end, np.uint32)
            following[inside] = before[last[inside]]
            ways.append(following)
        return ways

    def _is_crowd(self, nodes: Nodes) -> Flags:
        """Say which objects hold others that have no names: collections, but not namespaces."""
        graph = self._graph
        distinct, which = np.unique(nodes, return_inverse=True)
        types = graph.types[distinct]
        crowd = self._crowds[types] & ~self.namespaces[distinct]
        tuples = self._tuples[types]
        degrees = (graph.starts[distinct.astype(np.int64) + 1] - graph.starts[distinct]).astype(np.int64)
        crowd |= tuples & (degrees > _FEW)
        crowd[crowd] = ~self._own_dicts(distinct[crowd])
        return np.asarray(crowd[which], np.bool_)

    @cached_property
    def _crowds(self) -> Flags:
        return self._kinds.collections | self._kinds.built_on({"frozenset"})

    @cached_property
    def _lru_caches(self) -> Flags:
        return self._kinds.built_on({"functools._lru_cache_wrapper"})

    @cached_property
    def _tuples(self) -> Flags:
        return self._kinds.built_on({"tuple"})


def _is_namespace(root: Root) -> bool:
    return root.place.role is Role.NAMESPACE


def _mixed(numbers: npt.NDArray[np.uint64]) -> Hashes:
    """Scatter numbers over 64 bits."""
    mixed = (numbers ^ (numbers >> np.uint64(31))) * _MIX
    return np.asarray(mixed ^ (mixed >> np.uint64(29)), np.uint64)
