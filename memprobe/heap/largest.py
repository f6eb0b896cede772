"""The holders that keep most alive, of whatever type.

In the tree of dominators the bytes of one object are retained by all above it: by its list, by the instance
that has the list, by the module. Named is the one where they come together: of which no single part
retains most. Namespaces of modules and classes are no holders: they are where a path begins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memprobe.heap.dominators import dominated_by
from memprobe.heap.graph import U64
from memprobe.heap.holders import Holders
from memprobe.heap.references import Role

LEAST_SHARE = 1 / 1_000
"""What retains less of the whole heap is not looked at."""

_ONE_PART = 0.7  # if one part retains more than this of it, that part is the holder
_MAXIMUM_LOOKED_AT = 2_000
_NOT_HOLDERS = {"type", "function", "module", "code", "str", "bytes"}


@dataclass(frozen=True, slots=True)
class Held:
    """What a holder keeps alive of one type."""

    type_address: int
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Largest:
    """One holder."""

    path: str
    node: int
    type_address: int

    objects: int
    """How many would go with it, itself not counted."""

    retained_bytes: int

    holds: tuple[Held, ...]
    """Of which types, the most bytes first."""


def largest_holders(holders: Holders, most: int = 10, *, types: int = 3) -> list[Largest]:
    """Return the holders that retain most, the largest first."""
    found: list[Largest] = []
    for node in _candidates(holders):
        path = holders.path_to(int(node))
        if path is None or path.places[-1].role is Role.NAMESPACE:
            continue
        found.append(_described(holders, int(node), path.text, types))
        if len(found) == most:
            break
    return found


def _candidates(holders: Holders) -> npt.NDArray[np.intp]:
    """Return the numbers of what retains much, and not by one part alone."""
    graph, retained = holders.graph, holders.holding.retained
    above = holders.holding.dominators.above
    enough = max(1, int(int(graph.sizes.sum(dtype=np.uint64)) * LEAST_SHARE))
    large = np.flatnonzero(retained >= enough)
    greatest = np.zeros(len(graph) + 1, np.uint64)
    inside = large[above[large] < len(graph)]
    np.maximum.at(greatest, above[inside], retained[inside])
    together = large[greatest[large] <= _ONE_PART * retained[large]]
    kinds = [holders.members.base_name(int(kind)) in _NOT_HOLDERS for kind in graph.type_addresses]
    together = together[~np.array(kinds, np.bool_)[graph.types[together]]]
    return together[np.argsort(retained[together], kind="stable")[::-1]][:_MAXIMUM_LOOKED_AT]


def _described(holders: Holders, node: int, path: str, types: int) -> Largest:
    """Count what goes with a holder."""
    graph = holders.graph
    gone = dominated_by(holders.holding.dominators, np.array([node], np.uint32))
    gone = gone & (np.arange(len(graph)) != node)
    kinds = graph.types[gone]
    counts = np.bincount(kinds, minlength=len(graph.type_addresses))
    sizes: U64 = np.zeros(len(graph.type_addresses), np.uint64)
    np.add.at(sizes, kinds, graph.sizes[gone].astype(np.uint64))
    order = np.argsort(sizes, kind="stable")[::-1][:types]
    return Largest(
        path=path,
        node=node,
        type_address=graph.type_address(node),
        objects=int(gone.sum()),
        retained_bytes=int(holders.holding.retained[node]),
        holds=tuple(
            Held(int(graph.type_addresses[kind]), int(counts[kind]), int(sizes[kind]))
            for kind in order
            if counts[kind]
        ),
    )
