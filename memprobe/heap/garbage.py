"""The garbage that waits for the cyclic collector, and references that no object has; on arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memprobe.heap.arrays import view
from memprobe.heap.dominators import OWNED, VISITED
from memprobe.native import _heap

if TYPE_CHECKING:
    import numpy.typing as npt

    from memprobe.heap.dominators import Nodes, Starts

    Bytes = npt.NDArray[np.uint8]
    Mask = npt.NDArray[np.bool_]

KEPT, GARBAGE, UNCOLLECTABLE, DIES_TOO = range(4)
"""Verdicts: reachable; freed by the next full collection; unreachable, but a legacy finalizer (tp_del) is or
holds it; no garbage itself, but nothing but garbage refers to it."""

_CANDIDATE, _LEGACY = 1, 2


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
        return np.isin(self.verdicts, (GARBAGE, DIES_TOO))


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


def explain_counts(starts: Starts, targets: Nodes, refcounts: Nodes) -> npt.NDArray[np.int64]:
    """Of each object the references that are counted minus those found; below zero: found more than counted.

    What is left is of no object (frames on a stack, the interpreter's state, static types), on C's stack, in
    C's structures, or was never given back. The count of an immortal object means nothing.
    """
    counted = _heap.count_references(starts, targets, VISITED | OWNED)
    return refcounts.astype(np.int64) - view(counted, np.uint32)
