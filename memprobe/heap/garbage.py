"""The garbage that waits for the cyclic collector, and references that no object has; on arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memprobe.heap.arrays import pieces, view
from memprobe.heap.dominators import OWNED, VISITED
from memprobe.native import _heap

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from memprobe.heap.dominators import Nodes, Starts

    Bytes = npt.NDArray[np.uint8]
    Mask = npt.NDArray[np.bool_]

KEPT, GARBAGE, UNCOLLECTABLE, DIES_TOO = range(4)
"""Verdicts: reachable; freed by the next full collection; unreachable, but a legacy finalizer (tp_del) is or
holds it; no garbage itself, but nothing but garbage refers to it."""

_CANDIDATE, _LEGACY = 1, 2
_LEAST, _MOST = -(2**31), 2**31 - 1


@dataclass(frozen=True)
class Garbage:
    """What a full collection would do at this moment."""

    verdicts: Bytes
    """For each node KEPT, GARBAGE, UNCOLLECTABLE or DIES_TOO."""
    impossible: int
    """References from collected objects to collected ones that their counts do not have room for: read while
    the target changed them, or not understood. Above 0 the verdicts are estimates."""

    @property
    def freed(self) -> Mask:
        """Which nodes a collection would free."""
        return np.asarray((self.verdicts == GARBAGE) | (self.verdicts == DIES_TOO), np.bool_)


def find_garbage(
    starts: Starts, targets: Nodes, refcounts: Nodes, collected: Mask, legacy: Mask | None = None
) -> Garbage:
    """Run the collector's algorithm on a graph.

    `collected` are the nodes in the collector's lists: tracked, and not frozen (`gc.freeze`). `legacy` are
    those whose type has a tp_del. Nothing is done about `__del__`, which may bring objects back to life.
    """
    roles = collected.astype(np.uint8) * np.uint8(_CANDIDATE)
    if legacy is not None:
        roles |= legacy.astype(np.uint8) * np.uint8(_LEGACY)
    verdicts, impossible = _heap.garbage(starts, targets, refcounts, roles, VISITED, VISITED | OWNED)
    return Garbage(view(verdicts, np.uint8), impossible)


def explain_counts(
    starts: Starts,
    targets: Nodes,
    refcounts: Nodes,
    *,
    immortal: Mask | None = None,
    from_roots: Mapping[int, int] | None = None,
) -> npt.NDArray[np.int32]:
    """Return of each node the references that are counted but found nowhere.

    They are on C's stack, in C's structures, or were never given back; below zero: more were found than are
    counted. `from_roots` are references by node that come from no object (frames on a stack, the
    interpreter's state, static types). The counts of `immortal` nodes mean nothing: 0.
    """
    counted = view(_heap.count_references(starts, targets, VISITED | OWNED), np.uint32)
    rooted = sorted((from_roots or {}).items())
    nodes = np.array([node for node, _ in rooted], np.int64)
    known = np.array([count for _, count in rooted], np.int64)
    left = np.empty(len(refcounts), np.int32)
    for part in pieces(len(left)):
        extra = refcounts[part].astype(np.int64) - counted[part]
        first, last = np.searchsorted(nodes, (part.start, part.stop))
        extra[nodes[first:last] - part.start] -= known[first:last]
        if immortal is not None:
            extra[immortal[part]] = 0
        left[part] = np.clip(extra, _LEAST, _MOST)
    return left
