"""How many objects of each type there are, by a graph (without another walk over the heap) or a census."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memprobe.heap.answers import Answers
from memprobe.heap.arrays import pieces
from memprobe.heap.census import Census, is_churning
from memprobe.heap.tally import counted_types


@dataclass(frozen=True, slots=True)
class TypeCount:
    """All objects of one type; types of the same name are one."""

    type: str
    objects: int
    allocated_bytes: int
    """Of one object at most 4 GiB."""

    churning: bool
    """Whether so many came and went during the walk that the count is rough."""


def type_counts(answers: Answers) -> tuple[TypeCount, ...]:
    """Count the objects of each type, the most memory first."""
    found: dict[str, list[TypeCount]] = {}
    for one in _by_address(answers):
        found.setdefault(one.type, []).append(one)
    counts = [
        TypeCount(
            name,
            sum(one.objects for one in same),
            sum(one.allocated_bytes for one in same),
            any(one.churning for one in same),
        )
        for name, same in found.items()
    ]
    return tuple(sorted(counts, key=lambda one: (-one.allocated_bytes, one.type)))


def census_counts(census: Census) -> tuple[TypeCount, ...]:
    """Return the same of a census: for heaps of which there is no whole graph."""
    return tuple(
        TypeCount(row.type, row.objects, row.allocated_bytes, row.churning) for row in counted_types(census)
    )


def _by_address(answers: Answers) -> Iterator[TypeCount]:
    names, (objects, sizes) = answers.type_names, _counted(answers)
    changes = np.frombuffer(answers.heap.native.changes(), np.uint64).reshape(-1, 2).tolist()
    for kind in np.flatnonzero(objects).tolist():
        yield TypeCount(names[kind], int(objects[kind]), int(sizes[kind]), is_churning(*changes[kind]))


def _counted(answers: Answers) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the number of objects and of bytes by the index of the type."""
    graph, kinds = answers.graph, len(answers.type_names)
    objects, sizes = np.zeros(kinds, np.int64), np.zeros(kinds)
    for part in pieces(len(graph)):
        objects += np.bincount(graph.types[part], minlength=kinds)
        sizes += np.bincount(graph.types[part], weights=graph.sizes[part], minlength=kinds)
    return objects, sizes
