"""Collections that hold the very same things: a table of sessions, and an index into it.

They grow together, for one reason. One of them is said to hold the others' things: that which really keeps
them alive, and belongs to the program rather than to Python.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from memprobe.heap.graph import STRENGTH_SHIFT, HeapGraph
from memprobe.heap.shapes import Strength

MOST = 40
"""Collections that are compared with one another."""

LEAST_ENTRIES = 8

SHARE = 0.5
"""So much of what one refers to the other one must have, too."""

SAMPLED = 256
"""Entries of one collection that are looked for in the others."""

Nodes = npt.NDArray[np.uint32]


class Filled(NamedTuple):
    """One collection."""

    name: str
    node: int


class _Contents(NamedTuple):
    name: str
    sample: Nodes
    everything: Nodes
    """In order."""

    is_weak: bool


def keepers(graph: HeapGraph, filled: Sequence[Filled]) -> dict[str, str]:
    """Return of each collection whose things another one keeps alive what that is called."""
    contents = [one for one in (_contents(graph, each) for each in filled[:MOST]) if one is not None]
    contents.sort(key=_rank)
    found: dict[str, str] = {}
    for index, one in enumerate(contents):
        for keeper in contents[:index]:
            if keeper.name != one.name and keeper.name not in found and _shares(one, keeper):
                found[one.name] = keeper.name
                break
    return found


def _contents(graph: HeapGraph, filled: Filled) -> _Contents | None:
    """Return what a collection refers to that can go: of weak references, what they refer to."""
    held = graph.referents(filled.node, 1 << Strength.VISITED)
    through, is_weak = _through_weak(graph, held)
    everything = np.unique(through)
    everything = everything[_is_alive_by_itself(graph, everything)]
    if len(everything) < LEAST_ENTRIES:
        return None
    places = np.linspace(0, len(everything) - 1, min(len(everything), SAMPLED)).astype(np.int64)
    return _Contents(filled.name, everything[places], everything, is_weak)


def _through_weak(graph: HeapGraph, nodes: Nodes) -> tuple[Nodes, bool]:
    """Add what some objects refer to weakly; if most of them are such references, only that, and True."""
    starts, ends = (
        graph.starts[nodes].astype(np.int64),
        graph.starts[nodes.astype(np.int64) + 1].astype(np.int64),
    )
    counts = ends - starts
    small = counts <= LEAST_ENTRIES
    edges = np.repeat(starts[small], counts[small]) + _ranges(counts[small])
    targets = graph.targets[edges]
    weak = targets[targets >> STRENGTH_SHIFT == Strength.WEAK] & np.uint32((1 << STRENGTH_SHIFT) - 1)
    is_weak = len(weak) >= SHARE * len(nodes) > 0
    return weak if is_weak else np.concatenate((nodes, weak)), is_weak


def _ranges(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return 0, 1, ... up to each count, one after the other."""
    total = int(counts.sum())
    return np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)


def _is_alive_by_itself(graph: HeapGraph, nodes: Nodes) -> npt.NDArray[np.bool_]:
    """Say which objects are no types: those are shared by everybody."""
    return ~np.isin(graph.addresses[nodes], graph.type_addresses)


def _shares(one: _Contents, keeper: _Contents) -> bool:
    found = np.isin(one.sample, keeper.everything, assume_unique=True)
    return int(found.sum()) >= SHARE * len(one.sample)


def _rank(one: _Contents) -> tuple[bool, bool, int, str]:
    """Who keeps something alive comes first, the program before Python, then the shorter name."""
    root = one.name.partition(".")[0]
    return one.is_weak, root in sys.stdlib_module_names, len(one.name), one.name
