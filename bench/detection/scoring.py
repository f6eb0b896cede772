"""From outcomes to the numbers of the table: pure functions, so that a file of outcomes is judged again."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from detection.cases import Case, Truth
from detection.matching import (
    SURE,
    Verdict,
    holder_is_right,
    judged,
    place_is_right,
    site_is_right,
)
from detection.watching import Outcome

KINDS = ("handles", "sockets", "caches", "cycles", "listeners", "tasks", "timers", "threads", "native")
FAST_PER_S = 10.0


@dataclass(frozen=True, slots=True)
class Judged:
    """One run, and what its findings are worth."""

    case: Case
    outcome: Outcome
    verdicts: list[tuple[dict[str, Any], Verdict]]
    """The findings, those that are not sure too."""

    @property
    def sure(self) -> list[tuple[dict[str, Any], Verdict]]:
        """The findings that count."""
        return [one for one in self.verdicts if one[0]["confidence"] >= SURE]

    @property
    def hit(self) -> dict[str, Any] | None:
        """The finding that names the leak."""
        return next((finding for finding, verdict in self.sure if verdict is Verdict.TRUE), None)

    @property
    def false(self) -> list[dict[str, Any]]:
        """The findings that should not be there."""
        return [finding for finding, verdict in self.sure if verdict is Verdict.FALSE]

    @property
    def repeated(self) -> int:
        """More findings about the same leak."""
        return sum(verdict is Verdict.REPEATED for _, verdict in self.sure)

    @property
    def taken_back(self) -> int:
        """Findings that were sure before the end, and said then why they are no more."""
        suspects = (finding for finding, _ in self.verdicts if finding["confidence"] < SURE)
        return sum(any(map(_is_taken_back, finding["evidence"])) for finding in suspects)

    @property
    def named_kind(self) -> str:
        """What the leak was called, rightly or not: by the finding at its place, else by the first one."""
        truth = self.case.truth
        sure = [finding for finding, _ in self.sure]
        at_place = [finding for finding in sure if truth is not None and place_is_right(finding, truth)]
        hits = [self.hit] if self.hit else []
        first = next(iter([*hits, *at_place, *sure]), None)
        return "nothing" if first is None else str(first["kind"])

    @property
    def units(self) -> float | None:
        """How much had leaked since the attach when it was found."""
        truth, hit = self.case.truth, self.hit
        if truth is None or hit is None or truth.rate is None:
            return None
        return float(hit["detected_after_s"]) * truth.rate


def _is_taken_back(sentence: str) -> bool:
    return sentence.startswith("Taken back ")


def judge(cases: Iterable[Case], outcomes: Iterable[Outcome]) -> list[Judged]:
    """Every outcome with its case; findings are judged in the order of their confidence being sure first."""
    known = {case.name: case for case in cases}
    found = []
    for outcome in outcomes:
        case = known.get(outcome.case)
        if case is None or outcome.missing:
            continue
        ordered = sorted(outcome.findings, key=lambda finding: finding["confidence"] < SURE)
        verdicts = list(zip(ordered, judged(ordered, case.truth), strict=True))
        found.append(Judged(case, outcome, verdicts))
    return found


@dataclass(frozen=True, slots=True)
class Score:
    """The numbers of one kind, or of all."""

    leaky: int
    found: int
    repeated: int
    """More findings about a leak that was found."""

    place_first: int
    """Of the found: the right holder, or the right function in the innermost line."""

    holder: int
    site_first: int
    site_near: int
    """One of the three innermost lines."""

    seconds: float | None
    """The median of the time to detect."""

    fast_seconds: float | None
    """The same for leaks of 10 units a second and more."""

    units: float | None


def score(runs: Sequence[Judged]) -> Score:
    """Count."""
    leaky = [(run, run.case.truth) for run in runs if run.case.truth is not None]
    hits = [(run, truth, run.hit) for run, truth in leaky if run.hit is not None]
    pairs = [(hit, truth) for _, truth, hit in hits]
    fast = [hit for _, truth, hit in hits if (truth.rate or 0) >= FAST_PER_S]
    return Score(
        leaky=len(leaky),
        found=len(hits),
        repeated=sum(run.repeated for run in runs),
        place_first=sum(holder_is_right(hit, truth) or site_is_right(hit, truth, 1) for hit, truth in pairs),
        holder=sum(holder_is_right(hit, truth) for hit, truth in pairs),
        site_first=sum(site_is_right(hit, truth, 1) for hit, truth in pairs),
        site_near=sum(site_is_right(hit, truth) for hit, truth in pairs),
        seconds=median(hit["detected_after_s"] for hit, _ in pairs),
        fast_seconds=median(hit["detected_after_s"] for hit in fast),
        units=median(run.units for run, _, _ in hits if run.units is not None),
    )


def median(values: Iterable[float]) -> float | None:
    """The median, if there is one."""
    found = list(values)
    return statistics.median(found) if found else None


def of_kind(runs: Iterable[Judged], kind: str) -> list[Judged]:
    """The programs with a leak of a kind."""
    return [run for run in runs if _true_kind(run.case.truth) == kind]


def precision(runs: Iterable[Judged], kind: str = "") -> tuple[int, int]:
    """How many of the findings (that call it so) are true, and how many there are; repeated ones left out."""
    found = [
        verdict is Verdict.TRUE
        for run in runs
        for finding, verdict in run.sure
        if verdict is not Verdict.REPEATED and kind in ("", finding["kind"])
    ]
    return sum(found), len(found)


@dataclass(frozen=True, slots=True)
class Alarms:
    """What was said of healthy programs."""

    programs: int
    hours: float
    alarms: int
    programs_with_alarm: int
    taken_back: int
    """Alarms that were given, and were none any more at the end."""


def alarms(runs: Iterable[Judged]) -> Alarms:
    """Findings that are sure where nothing leaks."""
    healthy = [run for run in runs if run.case.truth is None and not run.outcome.problem]
    hours = sum(run.outcome.seconds for run in healthy) / 3600
    return Alarms(
        len(healthy),
        hours,
        sum(len(run.sure) for run in healthy),
        sum(bool(run.sure) for run in healthy),
        sum(run.taken_back for run in healthy),
    )


@dataclass(frozen=True, slots=True)
class Bin:
    """Findings of like confidence."""

    low: float
    high: float
    findings: int
    true: int
    mean: float


def calibration(runs: Iterable[Judged], edges: Sequence[float]) -> list[Bin]:
    """How many of the findings of a confidence are real; repeated ones are left out."""
    found = [
        (float(finding["confidence"]), verdict is Verdict.TRUE)
        for run in runs
        for finding, verdict in run.verdicts
        if verdict is not Verdict.REPEATED
    ]
    return binned(found, edges)


def binned(found: Sequence[tuple[float, bool]], edges: Sequence[float]) -> list[Bin]:
    """Confidences, and whether they were right, by what they are between."""
    bins = []
    for low, high in pairwise(edges):
        inside = [one for one in found if low <= one[0] < high or one[0] == high == edges[-1]]
        if inside:
            mean = statistics.fmean(confidence for confidence, _ in inside)
            bins.append(Bin(low, high, len(inside), sum(true for _, true in inside), mean))
    return bins


def confusion(runs: Iterable[Judged]) -> dict[str, Counter[str]]:
    """What leaks of each kind were called; the row "none" are the healthy programs."""
    table: dict[str, Counter[str]] = {kind: Counter() for kind in (*KINDS, "none")}
    for run in runs:
        table[_true_kind(run.case.truth)][run.named_kind] += 1
    return table


def _true_kind(truth: Truth | None) -> str:
    return "none" if truth is None else truth.kind
