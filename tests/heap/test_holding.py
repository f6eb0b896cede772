"""The searches for ways, one after the other: together they reach what one search would."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from memprobe.heap.arrays import view
from memprobe.heap.dominators import HOLDING, NO_NODE
from memprobe.heap.graph import HeapGraph
from memprobe.heap.holding import Holding
from memprobe.heap.references import Place
from memprobe.heap.roots import Root, Tier
from memprobe.native import _heap
from native.graphs import GUESSED, Graph, graph, rooted_graphs

FIRST, APART = 4096, 16


def heap_graph(one: Graph, refcounts: list[int]) -> HeapGraph:
    """A graph as if its nodes were objects."""
    nothing = np.zeros(one.nodes, np.uint32)
    return HeapGraph(
        addresses=(FIRST + APART * np.arange(one.nodes)).astype(np.uint64),
        types=nothing,
        sizes=nothing,
        flags=nothing.astype(np.uint8),
        refcounts=np.resize(np.array([*refcounts, 0], np.uint32), one.nodes),
        starts=one.starts,
        targets=one.targets,
        type_addresses=np.zeros(1, np.uint64),
        counters={},
        first_large=one.nodes,
    )


PUT_OFF_AND_GUESSED = graph(6, [(0, 1), (1, 2, GUESSED), (2, 3), (0, 4), (4, 5)])


@example((PUT_OFF_AND_GUESSED, [0]), [Tier.MODULE] * 4, [4], [])
@given(
    rooted_graphs(),
    st.lists(st.sampled_from(Tier), min_size=4, max_size=4),
    st.lists(st.integers(0, 23), max_size=4),
    st.lists(st.integers(0, 5), max_size=24),
)
def test_they_reach_what_one_would(
    rooted: tuple[Graph, list[int]], tiers: list[Tier], deferred: list[int], refcounts: list[int]
) -> None:
    """And each way begins at a root, or at what only native code holds."""
    one, nodes = rooted
    places = [Place(FIRST + APART * node) for node in nodes]
    roots = [Root("root", place, tier) for place, tier in zip(places, tiers, strict=False)]
    holding = Holding(heap_graph(one, refcounts), roots, [FIRST + APART * node for node in deferred])
    begins = np.flatnonzero(holding.before == one.nodes).tolist()
    assert {*begins} <= {*holding.roots, *holding.native.tolist()}
    all_roots = np.array([*holding.roots, *holding.native], np.uint32)
    at_once = view(_heap.reach(one.starts, one.targets, all_roots, HOLDING), np.uint32)
    assert np.array_equal(holding.is_held(), at_once != NO_NODE)
    for node in range(one.nodes):
        way = holding.way(node)
        assert bool(way) == bool(holding.is_held()[node])
