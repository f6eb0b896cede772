"""The collector's algorithm against itself in plain Python, and against the collector of this interpreter."""

from __future__ import annotations

import gc
import weakref
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from memprobe.heap.arrays import view
from memprobe.native import _heap
from native.graphs import OWNED, VISITED, Graph, graph, graphs, reached

SEEN, COUNTED = 1 << VISITED, 1 << VISITED | 1 << OWNED
CANDIDATE, LEGACY = 1, 2
KEPT, GARBAGE, UNCOLLECTABLE, DIES_TOO = range(4)


def verdicts(one: Graph, refcounts: list[int], roles: list[int]) -> tuple[list[int], int]:
    buffer, impossible = _heap.garbage(
        one.starts, one.targets, np.array(refcounts, np.uint32), np.array(roles, np.uint8), SEEN, COUNTED
    )
    return view(buffer, np.uint8).tolist(), impossible


def expected(one: Graph, refcounts: list[int], roles: list[int]) -> list[int]:
    """The collector's steps with sets."""
    candidates = {node for node, role in enumerate(roles) if role & CANDIDATE}
    seen = [
        [to for to in targets if to in candidates] if node in candidates else []
        for node, targets in enumerate(one.next(SEEN))
    ]
    inside = Counter(to for targets in seen for to in targets)
    outside = {node for node in candidates if refcounts[node] > inside[node]}
    garbage = candidates - reached(seen, outside)
    legacy = {node for node in garbage if roles[node] & LEGACY}
    spared = reached([[to for to in targets if to in garbage] for targets in seen], legacy)
    dead, left = set(garbage - spared), dict(enumerate(refcounts))
    too: set[int] = set()
    ahead = list(dead)
    while ahead:
        for to in one.next(COUNTED)[ahead.pop()]:
            if to not in dead | too | spared:
                left[to] -= 1
                if left[to] == 0:
                    too.add(to)
                    ahead.append(to)
    names = {
        **dict.fromkeys(dead, GARBAGE),
        **dict.fromkeys(spared, UNCOLLECTABLE),
        **dict.fromkeys(too, DIES_TOO),
    }
    return [names.get(node, KEPT) for node in range(one.nodes)]


@given(graphs(most=12), st.data())
def test_verdicts_are_those_of_the_collector_in_plain_python(one: Graph, data: st.DataObject) -> None:
    inside = Counter(to for _, to, strength in one.edges if COUNTED >> strength & 1)
    more = data.draw(st.lists(st.sampled_from([0, 0, 0, 1, 7]), min_size=one.nodes, max_size=one.nodes))
    refcounts = [inside[node] + more[node] for node in range(one.nodes)]
    roles = data.draw(
        st.lists(st.sampled_from([0, 1, 1, 1, 1, CANDIDATE | LEGACY]), min_size=one.nodes, max_size=one.nodes)
    )
    assert verdicts(one, refcounts, roles) == (expected(one, refcounts, roles), 0)


class Node:
    """An object with references."""

    def __init__(self) -> None:
        self.others: list[Node] = []


@given(graphs(most=12), st.data())
def test_garbage_is_what_this_interpreter_frees(one: Graph, data: st.DataObject) -> None:
    """The list of a node, of which it is the only holder, is not told apart from the node."""
    one = graph(one.nodes, [(source, to) for source, to, _ in one.edges])
    held = data.draw(st.sets(st.integers(0, one.nodes - 1)) if one.nodes else st.just(set()))
    inside = Counter(to for _, to, _ in one.edges)
    refcounts = [inside[node] + (node in held) for node in range(one.nodes)]
    # What nothing refers to at all never waits for the collector; nor does what only that holds.
    gc.disable()
    try:
        nodes = [Node() for _ in range(one.nodes)]
        watched = [weakref.ref(node) for node in nodes]
        for source, to, _ in one.edges:
            nodes[source].others.append(nodes[to])
        holder = [nodes[node] for node in held]
        nodes.clear()
        waiting = {i for i, ref in enumerate(watched) if ref() is not None}
        gc.collect()
        left = {i for i, ref in enumerate(watched) if ref() is not None}
    finally:
        gc.enable()
    alive = graph(one.nodes, [edge for edge in one.edges if edge[0] in waiting])
    inside = Counter(to for _, to, _ in alive.edges)
    refcounts = [inside[node] + (node in held) for node in range(one.nodes)]
    found, impossible = verdicts(alive, refcounts, [int(node in waiting) for node in range(one.nodes)])
    assert {node for node in waiting if found[node] == GARBAGE} == waiting - left
    assert impossible == 0
    assert len(holder) == len(held)


def test_more_references_than_the_count_are_counted() -> None:
    one = graph(2, [(0, 1), (0, 1), (1, 0)])
    assert verdicts(one, [1, 1], [CANDIDATE, CANDIDATE]) == ([GARBAGE, GARBAGE], 1)


def test_frozen_objects_hold_and_are_kept() -> None:
    """A frozen object is in no list that is collected: its references come from outside."""
    one = graph(3, [(0, 1), (1, 2), (2, 1), (0, 0)])
    assert verdicts(one, [1, 2, 1], [0, CANDIDATE, CANDIDATE])[0] == [KEPT, KEPT, KEPT]
    assert verdicts(one, [1, 2, 1], [CANDIDATE] * 3)[0] == [GARBAGE] * 3


def test_what_only_garbage_holds_dies_too() -> None:
    """An instance in a cycle with itself, its str key (owned, not visited), and a str that others share."""
    one = graph(3, [(0, 0), (0, 1, OWNED), (0, 2)])
    assert verdicts(one, [1, 1, 2], [CANDIDATE, 0, 0])[0] == [GARBAGE, DIES_TOO, KEPT]


def test_an_empty_graph() -> None:
    assert verdicts(graph(0, []), [], []) == ([], 0)
