"""Whose births a run wants to see: what piles up without a collection whose growth tells the line."""

from __future__ import annotations

from collections.abc import Iterable

from memprobe.detectors.evidence import Grown
from memprobe.vocab.subject import What

PILES = (What.HOLDER, What.GARBAGE, What.UNCOLLECTABLE, What.UNHELD)
"""Objects of one type, kept by no collection that could be watched."""

LIKELY = 0.3
"""From this probability of growth on; a burst is dearer than a watch."""

MOST = 8


def births_wanted(grown: Iterable[Grown], pid: int) -> dict[tuple[int, int], str]:
    """Return the types whose births are wanted, by process and subject; the surest first."""
    piles = [one for one in grown if one.subject.what in PILES and _is_open(one, pid)]
    piles.sort(key=lambda one: (-one.growth.probability, one.key))
    return {one.key: one.subject.type for one in piles[:MOST]}


def _is_open(one: Grown, pid: int) -> bool:
    is_known = one.pid != pid or one.subject.site or not one.subject.type
    return not is_known and one.growth.probability >= LIKELY and one.growth.per_s > 0
