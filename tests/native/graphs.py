"""Small graphs for the tests of the native algorithms, and dominators so that they are plainly right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

NONE = 2**32 - 1
VISITED, OWNED, WEAK, GUESSED = range(4)
EVERY = 0b1111

Edge = tuple[int, int, int]
"""From, to, strength."""


@dataclass(frozen=True)
class Graph:
    """A graph as edges, and as the arrays that the native code takes."""

    nodes: int
    edges: tuple[Edge, ...]

    @property
    def starts(self) -> npt.NDArray[np.uint64]:
        counts = np.bincount([edge[0] for edge in self.edges], minlength=self.nodes)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)

    @property
    def targets(self) -> npt.NDArray[np.uint32]:
        return np.array([to | strength << 30 for _, to, strength in self.edges], np.uint32)

    def next(self, strengths: int = EVERY) -> list[list[int]]:
        """The targets of each node, in their order."""
        found: list[list[int]] = [[] for _ in range(self.nodes)]
        for source, to, strength in self.edges:
            if strengths >> strength & 1:
                found[source].append(to)
        return found


def graph(nodes: int, edges: Iterable[Edge | tuple[int, int]]) -> Graph:
    """A graph of edges in any order."""
    full = [(one[0], one[1], one[2] if len(one) == 3 else VISITED) for one in edges]
    return Graph(nodes, tuple(sorted(full, key=lambda edge: edge[0])))


@st.composite
def graphs(draw: st.DrawFn, *, most: int = 24) -> Graph:
    """Any small graph: self loops, edges that are there twice, parts that nothing leads to."""
    nodes = draw(st.integers(0, most))
    if nodes == 0:
        return graph(0, [])
    node = st.integers(0, nodes - 1)
    return graph(nodes, draw(st.lists(st.tuples(node, node, st.integers(0, 3)), max_size=4 * most)))


@st.composite
def rooted_graphs(draw: st.DrawFn) -> tuple[Graph, list[int]]:
    """A graph, and roots: none, one, several, the same again."""
    one = draw(graphs())
    return one, draw(st.lists(st.integers(0, one.nodes - 1), max_size=4)) if one.nodes else []


def reached(next_nodes: Sequence[Sequence[int]], roots: Iterable[int], without: int = -1) -> set[int]:
    """What can be reached when one node is taken away."""
    found: set[int] = set()
    ahead = [root for root in roots if root != without]
    while ahead:
        node = ahead.pop()
        if node not in found:
            found.add(node)
            ahead.extend(to for to in next_nodes[node] if to != without)
    return found


def dominators(one: Graph, roots: Sequence[int], strengths: int) -> list[int]:
    """Immediate dominators from the definition: take each node away and see what is lost."""
    edges = one.next(strengths)
    alive = reached(edges, roots)
    above: dict[int, set[int]] = {node: {one.nodes} for node in alive}
    for node in alive:
        for lost in alive - reached(edges, roots, without=node) - {node}:
            above[lost].add(node)
    # The nearest of them is the one that has the most above itself.
    return [
        max(above[node], key=lambda up: -1 if up == one.nodes else len(above[up])) if node in alive else NONE
        for node in range(one.nodes)
    ]
