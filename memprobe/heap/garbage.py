"""The garbage that waits for the cyclic collector, and references that nobody can explain; on arrays."""

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


@dataclass(frozen=True)
class Unexplained:
    """References that are counted but found nowhere: on C's stack, in C's structures, or never given back."""

    references: npt.NDArray[np.int64]
    """For each node its count minus the references found; below zero: found more than are counted."""
    immortal: Mask
    """Nodes whose count means nothing."""

    def suspects(self, least: int = 1) -> npt.NDArray[np.int64]:
        """The nodes with at least so many references that nobody can explain, most of them first."""
        found = np.flatnonzero(~self.immortal & (self.references >= least))
        return found[np.argsort(self.references[found], kind="stable")[::-1]]


def explain_counts(
    starts: Starts,
    targets: Nodes,
    refcounts: Nodes,
    *,
    immortal_from: int | None = None,
    from_roots: npt.NDArray[np.integer] | None = None,
) -> Unexplained:
    """Compare each object's reference count with the references found.

    `from_roots` are references to each node that come from no object (frames on a stack, the interpreter's
    state, static types). `immortal_from` is the least count that is no count; None before CPython 3.12.
    """
    counted = _heap.count_references(starts, targets, VISITED | OWNED)
    left = refcounts.astype(np.int64) - view(counted, np.uint32)
    if from_roots is not None:
        left -= from_roots
    immortal = np.zeros(len(left), np.bool_) if immortal_from is None else refcounts >= immortal_from
    return Unexplained(left, immortal)
