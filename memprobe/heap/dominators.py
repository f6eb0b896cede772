"""Who keeps what alive: dominators and retained sizes of a graph, as numpy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memprobe.heap.arrays import view
from memprobe.native import _heap

if TYPE_CHECKING:
    import numpy.typing as npt

    Nodes = npt.NDArray[np.uint32]
    Starts = npt.NDArray[np.uint64]

VISITED, OWNED, WEAK, GUESSED = (1 << strength for strength in range(4))
"""What an edge is, as a set of one: seen by tp_traverse, owned without that, weak, guessed."""
HOLDING = VISITED | OWNED | GUESSED
"""Edges that may keep their target alive."""
NO_NODE = 2**32 - 1
"""Stands for a node where there is none."""


@dataclass(frozen=True)
class Dominators:
    """The dominator tree of a graph, under one root above all roots."""

    above: Nodes
    """For each node the one that all ways to it go through last; the number of nodes: none but the root
    above all; NO_NODE: no way leads to it."""
    order: Nodes
    """The nodes that are reached, each after its dominator."""


def find_dominators(starts: Starts, targets: Nodes, roots: Nodes, strengths: int = HOLDING) -> Dominators:
    """The dominator tree of a graph; see `_heap.dominators` for the arrays."""
    above, order = _heap.dominators(starts, targets, np.ascontiguousarray(roots, np.uint32), strengths)
    return Dominators(view(above, np.uint32), view(order, np.uint32))


def retained_bytes(tree: Dominators, sizes: npt.NDArray[np.uint32 | np.uint64]) -> npt.NDArray[np.uint64]:
    """What would be free if a node went: its own size and those of all that it dominates."""
    return view(_heap.retained(tree.above, tree.order, sizes), np.uint64)


def dominated_by(tree: Dominators, tops: Nodes) -> npt.NDArray[np.bool_]:
    """Which nodes go when all of `tops` go, themselves among them."""
    tops = np.ascontiguousarray(tops, np.uint32)
    return view(_heap.dominated(tree.above, tree.order, tops), np.bool_)
