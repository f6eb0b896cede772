"""One survey of a heap: a census, and what the references tell."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from memprobe.heap.document import (
    ContainerPart,
    EvidencePart,
    GarbagePart,
    HolderPart,
    ListenersPart,
    ReferrersPart,
    SampledPart,
    TotalsPart,
    TypePart,
    UnexplainedPart,
)
from memprobe.heap.graph import HeapGraph, build_graph, open_for_graph
from memprobe.heap.growth import what_grew, with_growth
from memprobe.heap.holding import Holding
from memprobe.heap.lengths import Lengths
from memprobe.heap.members import Members
from memprobe.heap.opening import OpenHeap
from memprobe.heap.tally import evidence, take_census, totals
from memprobe.heap.telling import Telling
from memprobe.heap.waste import garbage_part
from memprobe.heap.wishes import Wishes
from memprobe.target.cpython.python import Python
from memprobe.target.inspection.opening import Opened, resident_bytes

HOLDERS = 50
"""Holders in a document."""

CANDIDATES = 300
"""Holders whose paths are compared with a pattern."""

GROWN_TYPES = 5
"""Types of which is told who holds them, those that grew most."""

WATCHED = 4096
"""Containers whose lengths are compared, the largest."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What one survey has found."""

    begin_s: float
    """CLOCK_MONOTONIC"""

    took_s: float
    totals: TotalsPart
    evidence: EvidencePart
    types: tuple[TypePart, ...]
    holders: tuple[HolderPart, ...] | None = None
    referrers: tuple[ReferrersPart, ...] | None = None
    unexplained: tuple[UnexplainedPart, ...] | None = None
    garbage: GarbagePart | None = None
    listeners: tuple[ListenersPart, ...] | None = None
    containers: tuple[ContainerPart, ...] | None = None
    sampled: SampledPart | None = None
    invisible: tuple[str, ...] = ()
    lengths: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Type address and length of large containers, by address; of a first look only."""

    def apart_s(self, first: Survey) -> float:
        """How long after another one this began."""
        return round(self.begin_s - first.begin_s, 3)


def surveyed(
    target: Opened,
    wishes: Wishes,
    telling: Telling,
    *,
    before: Survey | None = None,
    census_only: bool = False,
) -> Survey:
    """Survey the heap of an opened target; `before` is what to compare with."""
    assert target.python is not None
    begin_s = time.monotonic()
    if wishes.sample is not None:
        survey = _sampled(target, target.python, wishes, telling)
    else:
        survey = _walked(target, target.python, wishes, telling, before, census_only)
    return replace(survey, begin_s=begin_s, took_s=time.monotonic() - begin_s)


def _walked(
    target: Opened,
    python: Python,
    wishes: Wishes,
    telling: Telling,
    before: Survey | None,
    census_only: bool,
) -> Survey:
    members = Members(python)
    with open_for_graph(target.process, python, members.shapes) as heap:
        types, _ = take_census(heap, telling.step("counting objects"))
        survey = Survey(
            begin_s=0.0,
            took_s=0.0,
            totals=totals(heap, types, resident_bytes(target.process)),
            evidence=evidence(heap),
            types=types,
            invisible=(f"{heap.no_arenas}.",) if heap.no_arenas else (),
        )
        graph = build_graph(heap, telling.step("following references"))
        if census_only:
            return replace(survey, lengths=_lengths(heap, graph))
        if before is not None:
            survey = replace(survey, types=with_growth(types, before.types))
        telling.step("finding who holds what")
        holding = Holding(heap, graph, members)
        return _answered(survey, holding, wishes, before, telling)


def _answered(
    survey: Survey, holding: Holding, wishes: Wishes, before: Survey | None, telling: Telling
) -> Survey:
    """Add what was asked for and only the references tell."""
    if wishes.garbage:
        part = garbage_part(holding.heap, holding.graph, holding.type_names)
        survey = replace(survey, garbage=part)
    telling.step("naming holders")
    if wishes.type is not None:
        return _of_type(survey, holding, wishes.type)
    if before is not None:
        grown = holding.nodes_of(what_grew(survey.types, GROWN_TYPES))
        holders = holding.of(grown, HOLDERS)
        return replace(survey, holders=tuple(holders), containers=_grown(holding, before, wishes.rows))
    if wishes.holders is not None:
        keep = _matching(wishes.holders)
        return replace(survey, holders=tuple(holding.largest(CANDIDATES, keep=keep, details=wishes.rows)))
    return replace(survey, holders=tuple(holding.largest(HOLDERS, details=wishes.rows)))


def _of_type(survey: Survey, holding: Holding, wanted: str) -> Survey:
    names = holding.types_called(wanted)
    chosen = holding.nodes_of(names)
    return replace(
        survey,
        types=tuple(row for row in survey.types if row.type in names),
        holders=tuple(holding.of(chosen, HOLDERS)),
        referrers=tuple(holding.referrers(chosen, HOLDERS)),
        invisible=(*survey.invisible, *(() if names else (f"No type is called {wanted}.",))),
    )


def _matching(pattern: str) -> Callable[[str], bool]:
    """Whether a path has a pattern in it, * standing for anything."""
    expression = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
    return lambda path: expression.search(path) is not None


def _lengths(heap: OpenHeap, graph: HeapGraph) -> dict[int, tuple[int, int]]:
    """Type address and length of the largest containers, by address."""
    lengths = Lengths(heap.python.objects, heap.types)
    is_container = np.array(
        [lengths.offset(int(kind)) is not None for kind in graph.type_addresses], np.bool_
    )
    nodes = np.flatnonzero(is_container[graph.types])
    nodes = nodes[np.argsort(-graph.sizes[nodes].astype(np.int64), kind="stable")[:WATCHED]]
    pairs = [(int(graph.addresses[node]), graph.type_address(int(node))) for node in nodes]
    read = zip(pairs, lengths.read(pairs), strict=True)
    return {address: (kind, length) for (address, kind), length in read if length is not None}


def _grown(holding: Holding, before: Survey, most: int) -> tuple[ContainerPart, ...]:
    """The containers that have more entries than before, those first that have got most."""
    now = _lengths(holding.heap, holding.graph)
    grown = [
        (length - before.lengths.get(address, (kind, 0))[1], address, length)
        for address, (kind, length) in now.items()
        if address not in before.lengths or before.lengths[address][0] == kind
    ]
    rows = sorted((row for row in grown if row[0] > 0), reverse=True)[:most]
    return tuple(holding.container(address, length, growth) for growth, address, length in rows)


def _sampled(target: Opened, python: Python, wishes: Wishes, telling: Telling) -> Survey:
    raise NotImplementedError
