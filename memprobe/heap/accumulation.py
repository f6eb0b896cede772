"""Where in a tree something piles up: the containers that hold the most, each once.

The tree is that of dominators, or of shortest paths; `below` is how much of something (bytes, objects of a
type) is under each node, itself included. A module holds nearly everything, and so does the dict behind it;
neither says anything. A node is worth naming if what is under it falls apart into small pieces there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Nodes = npt.NDArray[np.integer]
    Amounts = npt.NDArray[np.integer]

SMALLEST_SHARE = 0.005
"""A piece of less than this share of the whole is small."""

FEW = 8
"""Fewer than this are small however little there is in all: 50 objects in one list are one pile."""

OWN_SHARE = 0.5
"""So much of what a node holds must be in small pieces."""


@dataclass(frozen=True, slots=True)
class Piles:
    """Nodes under which something piles up, the most first."""

    nodes: npt.NDArray[np.int64]

    own: npt.NDArray[np.int64]
    """How much of it is under each of them and under no other large node."""


def find_piles(
    above: Nodes,
    below: Amounts,
    most: int,
    *,
    whole: int | None = None,
    smallest: float = SMALLEST_SHARE,
) -> Piles:
    """Return at most `most` piles.

    `above` is the parent of each node: a number of no node for those at the top. `whole` is how much there
    is in all; unless told, that is what stands at the top.
    """
    if whole is None:
        whole = int(below[above >= len(above)].sum())
    large = np.flatnonzero(below >= max(1, int(whole * smallest), min(FEW, whole // 2)))
    amounts = below[large].astype(np.int64)
    own = amounts - _under(large, above, amounts)
    kept = own >= OWN_SHARE * amounts
    nodes, own = large[kept], own[kept]
    first = np.argsort(-own, kind="stable")[:most]
    return Piles(nodes[first], own[first])


def _under(large: npt.NDArray[np.int64], above: Nodes, amounts: Amounts) -> Amounts:
    """How much of what is under each large node is under large nodes right below it."""
    parents = above[large].astype(np.int64)
    inside = parents < len(above)
    # Large nodes are few: their parents are large, too, so positions among them will do.
    places = np.searchsorted(large, parents[inside])
    sums = np.zeros(len(large), np.int64)
    np.add.at(sums, places, amounts[inside])
    return sums
