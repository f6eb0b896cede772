"""One survey of a heap: a census, and what the references tell."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from memprobe.heap.address_set import AddressSet
from memprobe.heap.answers import Answers
from memprobe.heap.census import frozen_addresses, take_census
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
from memprobe.heap.estimating import sampled_part, sampled_totals, sampled_types
from memprobe.heap.graph import build_graph, open_for_graph
from memprobe.heap.growth import what_grew, with_growth
from memprobe.heap.opening import OpenHeap, open_heap
from memprobe.heap.sampling import take_sample
from memprobe.heap.tally import counted_types, evidence, totals
from memprobe.heap.telling import Telling
from memprobe.heap.waste import garbage_part
from memprobe.heap.wishes import Wishes
from memprobe.target.cpython.python import Python
from memprobe.target.inspection.opening import Opened, resident_bytes

LetGo = Callable[[], None]

HOLDERS = 50
"""Holders in a document."""

CANDIDATES = 300
"""Holders whose paths are compared with a pattern."""

FEW = 20
"""Registries, and objects that only native code holds, in a document."""

WATCHED = 4096
"""Containers whose lengths are compared, the largest."""

NO_TYPE = "No type is called {}."

FROZEN_UNKNOWN = (
    "Which objects gc.freeze() has put aside: their list would not hold still, so some of what is called "
    "garbage may be frozen."
)


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

    addresses: list[AddressSet] = field(default_factory=list)
    """Of all objects; of a first look only, and gone when it has been compared with."""

    def apart_s(self, first: Survey) -> float:
        """How long after another one this began."""
        return round(self.begin_s - first.begin_s, 3)


def surveyed(
    target: Opened,
    wishes: Wishes,
    telling: Telling,
    let_go: LetGo,
    *,
    before: Survey | None = None,
    census_only: bool = False,
) -> Survey:
    """Survey the heap of an opened target; `before` is what to compare with.

    `let_go` is called when the target need not stand still any more, if it does.
    """
    assert target.python is not None
    begin_s = time.monotonic()
    if wishes.sample is not None:
        survey = _sampled(target, target.python, wishes, telling, let_go)
    else:
        survey = _walked(target, target.python, wishes, telling, let_go, before, census_only)
    return replace(survey, begin_s=begin_s, took_s=time.monotonic() - begin_s)


def _walked(
    target: Opened,
    python: Python,
    wishes: Wishes,
    telling: Telling,
    let_go: LetGo,
    before: Survey | None,
    census_only: bool,
) -> Survey:
    with open_for_graph(target.process, python) as heap:
        survey = counted(heap, target, telling)
        answers = Answers(heap, build_graph(heap, telling.step("following references")))
        if census_only:
            addresses = AddressSet(answers.graph.addresses)
            return replace(survey, lengths=answers.lengths(WATCHED), addresses=[addresses])
        if before is not None:
            survey = replace(survey, types=with_growth(survey.types, before.types))
        answers.read_roots()
        let_go()
        return answered(survey, answers, wishes, before, telling)


def counted(heap: OpenHeap, target: Opened, telling: Telling) -> Survey:
    """Count all objects: the survey as far as that goes."""
    census = take_census(heap, telling.step("counting objects"))
    types = counted_types(census)
    return Survey(
        begin_s=0.0,
        took_s=0.0,
        totals=totals(heap, types, resident_bytes(target.process)),
        evidence=evidence(heap),
        types=types,
        invisible=census.remarks,
    )


def answered(
    survey: Survey, answers: Answers, wishes: Wishes, before: Survey | None, telling: Telling
) -> Survey:
    """Add what was asked for and only the references tell."""
    if wishes.garbage:
        telling.step("looking for garbage")
        survey = replace(_with_garbage(survey, answers), unexplained=tuple(answers.unexplained(FEW)))
    telling.step("finding who holds what")
    if wishes.type is not None:
        return _of_type(survey, answers, wishes.type)
    if before is not None:
        grown = answers.nodes_of(what_grew(survey.types)) & answers.is_new(before.addresses.pop())
        containers = _grown(answers, before, wishes.rows)
        return replace(survey, holders=tuple(answers.of(grown, HOLDERS)), containers=containers)
    if wishes.holders is not None:
        keep = matching(wishes.holders)
        return replace(survey, holders=tuple(answers.largest(CANDIDATES, keep=keep, details=wishes.rows)))
    # Listeners first: while the largest arrays of the graph are not made yet.
    survey = replace(survey, listeners=tuple(answers.listeners(FEW)))
    return replace(survey, holders=tuple(answers.largest(HOLDERS, details=wishes.rows)))


def _with_garbage(survey: Survey, answers: Answers) -> Survey:
    frozen = frozen_addresses(answers.heap)
    part = garbage_part(answers.heap, answers.graph, answers.type_names, frozen)
    unknown = () if frozen is not None else (FROZEN_UNKNOWN,)
    return replace(survey, garbage=part, invisible=(*survey.invisible, *unknown))


def _of_type(survey: Survey, answers: Answers, wanted: str) -> Survey:
    names = answers.types_called(wanted)
    chosen = answers.nodes_of(names)
    return replace(
        survey,
        types=tuple(row for row in survey.types if row.type in names),
        holders=tuple(answers.of(chosen, HOLDERS)),
        referrers=tuple(answers.referrers(chosen, HOLDERS)),
        invisible=(*survey.invisible, *(() if names else (NO_TYPE.format(wanted),))),
    )


def matching(pattern: str) -> Callable[[str], bool]:
    """Whether a path has a pattern in it, * standing for anything."""
    expression = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
    return lambda path: expression.search(path) is not None


def _grown(answers: Answers, before: Survey, most: int) -> tuple[ContainerPart, ...]:
    """The containers that have more entries than before, those first that have got most."""
    grown = [
        (length - before.lengths.get(address, (kind, 0))[1], address, length)
        for address, (kind, length) in answers.lengths(WATCHED).items()
        if before.lengths.get(address, (kind, 0))[0] == kind
    ]
    rows = sorted((row for row in grown if row[0] > 0), reverse=True)[:most]
    return tuple(answers.container(address, length, growth) for growth, address, length in rows)


def _sampled(target: Opened, python: Python, wishes: Wishes, telling: Telling, let_go: LetGo) -> Survey:
    assert wishes.sample is not None
    telling.step("reading a sample")
    with open_heap(target.process, python) as heap:
        census = take_sample(heap, wishes.sample, wishes.seed)
        let_go()
        types = sampled_types(census)
        return Survey(
            begin_s=0.0,
            took_s=0.0,
            totals=sampled_totals(heap, census, types, resident_bytes(target.process)),
            evidence=evidence(heap),
            types=types,
            sampled=sampled_part(census, wishes.seed),
            invisible=census.remarks,
        )
