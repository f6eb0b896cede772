"""Shortest ways, edges reversed, references counted: against plain Python."""

from __future__ import annotations

from collections import Counter, deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from memprobe.heap.arrays import view
from memprobe.native import _heap
from native.graphs import EVERY, NONE, Graph, graph, graphs, rooted_graphs

DEEP = 1_000_000


def distances(one: Graph, roots: list[int], strengths: int) -> list[int]:
    edges, found = one.next(strengths), [NONE] * one.nodes
    ahead = deque((root, 0) for root in roots)
    while ahead:
        node, distance = ahead.popleft()
        if found[node] == NONE:
            found[node] = distance
            ahead.extend((to, distance + 1) for to in edges[node])
    return found


@given(rooted_graphs(), st.integers(0, EVERY))
def test_ways_are_the_shortest(rooted: tuple[Graph, list[int]], strengths: int) -> None:
    one, roots = rooted
    given_roots = np.array(roots, np.uint32)
    parent = view(_heap.reach(one.starts, one.targets, given_roots, strengths), np.uint32).tolist()
    distance = distances(one, roots, strengths)
    edges = one.next(strengths)
    for node, before in enumerate(parent):
        if distance[node] in (0, NONE):
            assert before == (one.nodes if distance[node] == 0 else NONE)
        else:
            assert node in edges[before]
            assert distance[before] == distance[node] - 1


def test_a_chain_of_a_million() -> None:
    starts = np.minimum(np.arange(DEEP + 1), DEEP - 1).astype(np.uint64)
    buffer = _heap.reach(starts, np.arange(1, DEEP, dtype=np.uint32), np.array([0], np.uint32), EVERY)
    assert np.array_equal(view(buffer, np.uint32)[1:], np.arange(DEEP - 1))


@given(rooted_graphs(), st.lists(st.integers(0, 2**30)), st.integers(0, EVERY), st.integers(0, EVERY))
def test_a_search_goes_on_where_another_ended(
    rooted: tuple[Graph, list[int]], more: list[int], first: int, then: int
) -> None:
    """What was reached stays; from there on it is as if only the roots led on."""
    one, roots = rooted
    others = [number % one.nodes for number in more] if one.nodes else []
    before = _heap.reach(one.starts, one.targets, np.array(roots, np.uint32), first)
    after = _heap.reach(one.starts, one.targets, np.array(others, np.uint32), then, before)
    known, parent = (view(buffer, np.uint32).tolist() for buffer in (before, after))
    edges = one.next(then)
    left = {node for node in range(one.nodes) if known[node] == NONE}
    ahead = {to for node in others for to in edges[node]} | set(others)
    reached: set[int] = set()
    while ahead & left - reached:
        reached |= ahead & left
        ahead = {to for node in reached for to in edges[node]}
    assert {node for node in left if parent[node] != NONE} == reached
    for node in range(one.nodes):
        if node not in left:
            assert parent[node] == known[node]
        elif node in reached and node not in others:
            assert node in edges[parent[node]]


@given(graphs())
def test_reversed_edges(one: Graph) -> None:
    starts, targets = _heap.reverse(one.starts, one.targets)
    assert len(starts) == one.nodes + 1
    starts_there, sources = view(starts, np.uint64), view(targets, np.uint32)
    back = [
        (int(source) & 2**30 - 1, node, int(source) >> 30)
        for node in range(one.nodes)
        for source in sources[starts_there[node] : starts_there[node + 1]]
    ]
    assert back == sorted(back, key=lambda edge: (edge[1], edge[0]))
    assert Counter(back) == Counter(one.edges)


@given(graphs(), st.integers(0, EVERY))
def test_references_are_counted(one: Graph, strengths: int) -> None:
    counts = view(_heap.count_references(one.starts, one.targets, strengths), np.uint32)
    expected = Counter(to for _, to, strength in one.edges if strengths >> strength & 1)
    assert counts.tolist() == [expected[node] for node in range(one.nodes)]


def test_an_empty_graph() -> None:
    one = graph(0, [])
    assert [len(part) for part in _heap.reverse(one.starts, one.targets)] == [1, 0]
    assert len(_heap.reach(one.starts, one.targets, one.targets, EVERY)) == 0
