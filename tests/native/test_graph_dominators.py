"""Dominators and retained sizes against the definition, and on graphs made to hurt."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memprobe.heap.arrays import view
from memprobe.native import _heap
from native.graphs import EVERY, NONE, WEAK, Graph, dominators, graph, graphs, reached, rooted_graphs

DEEP = 1_000_000


def found(one: Graph, roots: list[int], strengths: int = EVERY) -> tuple[list[int], list[int]]:
    idom, order = _heap.dominators(one.starts, one.targets, np.array(roots, np.uint32), strengths)
    return view(idom, np.uint32).tolist(), view(order, np.uint32).tolist()


@given(rooted_graphs(), st.integers(0, EVERY))
def test_dominators_are_what_the_definition_says(rooted: tuple[Graph, list[int]], strengths: int) -> None:
    one, roots = rooted
    idom, order = found(one, roots, strengths)
    assert idom == dominators(one, roots, strengths)
    assert set(order) == reached(one.next(strengths), roots)
    assert len(order) == len(set(order))
    place = {node: i for i, node in enumerate(order)} | {one.nodes: -1}
    assert all(place[idom[node]] < place[node] for node in order)


@given(rooted_graphs(), st.sampled_from([np.uint32, np.uint64]), st.data())
def test_retained_is_what_would_go(rooted: tuple[Graph, list[int]], kind: type, data: st.DataObject) -> None:
    one, roots = rooted
    sizes = data.draw(st.lists(st.integers(0, 2**31), min_size=one.nodes, max_size=one.nodes))
    idom, order = _heap.dominators(one.starts, one.targets, np.array(roots, np.uint32), EVERY)
    sums = view(_heap.retained(idom, order, np.array(sizes, kind)), np.uint64)
    edges = one.next()
    alive = reached(edges, roots)
    for node in range(one.nodes):
        lost = (alive - reached(edges, roots, without=node)) | {node}
        assert sums[node] == sum(sizes[one_lost] for one_lost in (lost if node in alive else {node}))


def test_sizes_of_2_to_63_do_not_wrap() -> None:
    one = graph(3, [(0, 1), (0, 2)])
    idom, order = _heap.dominators(one.starts, one.targets, np.array([0], np.uint32), EVERY)
    sums = _heap.retained(idom, order, np.full(3, 2**63, np.uint64))
    assert view(sums, np.uint64).tolist() == [2**64 - 1, 2**63, 2**63]


def test_an_empty_graph() -> None:
    assert found(graph(0, []), []) == ([], [])


def test_nothing_leads_anywhere_without_roots() -> None:
    assert found(graph(2, [(0, 1), (1, 0)]), []) == ([NONE, NONE], [])


def test_a_weak_edge_holds_nothing() -> None:
    one = graph(3, [(0, 1), (0, 2, WEAK), (1, 2)])
    assert found(one, [0], EVERY & ~(1 << WEAK))[0] == [3, 0, 1]
    assert found(one, [0])[0] == [3, 0, 0]


def chain(length: int, extra: tuple[np.ndarray, np.ndarray] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """0 -> 1 -> 2 ... as arrays; the extra edges come after each node's own."""
    sources, targets = np.arange(length - 1), np.arange(1, length)
    if extra is not None:
        sources, targets = np.concatenate([sources, extra[0]]), np.concatenate([targets, extra[1]])
    order = np.argsort(sources, kind="stable")
    nodes = int(max(sources.max(), targets.max())) + 1
    starts = np.concatenate([[0], np.cumsum(np.bincount(sources, minlength=nodes))]).astype(np.uint64)
    return starts, targets[order].astype(np.uint32)


def idom_of(arrays: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    idom, _ = _heap.dominators(*arrays, np.array([0], np.uint32), EVERY)
    return view(idom, np.uint32)


def test_a_chain_of_a_million() -> None:
    idom, order = _heap.dominators(*chain(DEEP), np.array([0], np.uint32), EVERY)
    assert np.array_equal(view(idom, np.uint32), np.concatenate([[DEEP], np.arange(DEEP - 1)]))
    sums = view(_heap.retained(idom, order, np.ones(DEEP, np.uint32)), np.uint64)
    assert np.array_equal(sums, np.arange(DEEP, 0, -1))


def test_a_chain_of_a_million_where_each_refers_back() -> None:
    back = (np.arange(1, DEEP), np.arange(DEEP - 1))
    assert np.array_equal(idom_of(chain(DEEP, back))[1:], np.arange(DEEP - 1))


def test_a_long_chain_whose_end_holds_what_its_start_holds_too() -> None:
    """Quadratic for the last step of the algorithm as it was published: 10**12 steps."""
    leaves = np.arange(DEEP, 2 * DEEP)
    ends = np.concatenate([np.full(DEEP, DEEP - 1), np.full(DEEP, 0)])
    begun = time.process_time()
    idom = idom_of(chain(DEEP, (ends, np.concatenate([leaves, leaves]))))
    assert (idom[DEEP:] == 0).all()
    assert time.process_time() - begun < 60  # some 0.5 s; that it ends is what counts


@given(graphs())
def test_a_target_that_is_no_node_is_refused(one: Graph) -> None:
    targets = np.append(one.targets, np.uint32(one.nodes))
    starts = one.starts.copy()
    starts[-1] += 1
    with pytest.raises(ValueError, match=r"target|starts"):
        _heap.dominators(starts, targets, np.array([], np.uint32), EVERY)


@pytest.mark.parametrize(
    ("starts", "targets", "roots", "complaint"),
    [
        ([], [], [], "one more"),
        ([1, 1], [], [], "begin with 0"),
        ([0, 5], [0], [], "end with"),
        ([0, 2, 1, 2], [0, 0], [], "descend"),
        ([0, 2**63, 0], [], [], "descend"),
        ([0, 0], [], [1], "root"),
    ],
)
def test_arrays_that_are_no_graph(
    starts: list[int], targets: list[int], roots: list[int], complaint: str
) -> None:
    arrays = np.array(starts, np.uint64), np.array(targets, np.uint32), np.array(roots, np.uint32)
    with pytest.raises(ValueError, match=complaint):
        _heap.dominators(*arrays, EVERY)


def test_retained_ignores_what_is_no_node() -> None:
    idom, order = np.array([7, 0, NONE], np.uint32), np.array([0, 1, 9, 2], np.uint32)
    sums = view(_heap.retained(idom, order, np.array([1, 2, 4], np.uint32)), np.uint64)
    assert sums.tolist() == [3, 2, 4]


@given(rooted_graphs(), st.sampled_from([np.uint8, np.uint32, np.uint64]))
def test_sums_without_an_order_are_the_same(rooted: tuple[Graph, list[int]], kind: type) -> None:
    one, roots = rooted
    sizes: np.ndarray = (np.arange(one.nodes) % 200 + 1).astype(kind)
    idom, order = _heap.dominators(one.starts, one.targets, np.array(roots, np.uint32), EVERY)
    in_order = view(_heap.retained(idom, order, sizes), np.uint64)
    assert view(_heap.sums(idom, sizes), np.uint64).tolist() == in_order.tolist()


def test_sums_of_what_goes_round_in_circles_end() -> None:
    above = np.array([1, 2, 1, NONE], np.uint32)
    assert view(_heap.sums(above, np.ones(4, np.uint8)), np.uint64).tolist() == [1, 2, 1, 1]
