"""One survey of a heap: a census, and what the references tell."""

from __future__ import annotations

from dataclasses import dataclass

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
from memprobe.heap.telling import Telling
from memprobe.heap.wishes import Wishes
from memprobe.target.inspection.opening import Opened


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
    """Survey the heap of an opened target."""
    raise NotImplementedError
