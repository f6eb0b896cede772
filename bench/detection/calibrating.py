"""Confidence fitted to what was found: how much more, or less, it should have said.

From one half on the log-odds of a confidence are multiplied by one number (`detectors.confidence.SHARPENED`
was found so). What is a finding and what is a suspect stays as it is, and what the models promise of false
alarms, too. The number is the one that makes the outcomes most likely, with a normal prior around 1; each
program is judged by the number that all others give, so that nothing is judged by itself.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from detection.matching import SURE, Verdict
from detection.scoring import Bin, Judged, binned

SPREAD = 1.0
"""Standard deviation of the prior of the factor."""

HIGHEST = 10.0
_STEPS = 40


@dataclass(frozen=True, slots=True)
class Told:
    """A finding's confidence, whether it was right, and the program that it is about."""

    confidence: float
    is_right: bool
    group: str


@dataclass(frozen=True, slots=True)
class Fit:
    """What comes of it."""

    factor: float
    """Of all programs together."""

    lowest: float
    highest: float
    """Of all programs but one."""

    loss: float
    left_out_loss: float
    """The mean of -log(probability of what was the case): as told, and by the factor of the others."""

    bins: list[Bin]
    """How the confidences by the factors of the other programs do."""


def told(runs: Iterable[Judged]) -> list[Told]:
    """The findings of some runs; repeated ones are left out."""
    return [
        Told(float(finding["confidence"]), verdict is Verdict.TRUE, run.case.group)
        for run in runs
        for finding, verdict in run.verdicts
        if verdict is not Verdict.REPEATED and finding["confidence"] >= SURE
    ]


def stretched(confidence: float, factor: float) -> float:
    """A confidence whose log-odds are multiplied."""
    return 1 / (1 + math.exp(-factor * _log_odds(confidence)))


def _log_odds(confidence: float) -> float:
    bounded = min(max(confidence, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))


def factor_of(findings: Sequence[Told]) -> float:
    """The factor that explains the outcomes best; its likelihood has one top, below HIGHEST."""

    def rises(factor: float) -> bool:
        slope = (1.0 - factor) / SPREAD**2
        for one in findings:
            slope += _log_odds(one.confidence) * (one.is_right - stretched(one.confidence, factor))
        return slope > 0

    low, high = 0.0, HIGHEST
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if rises(middle) else (low, middle)
    return (low + high) / 2


def fit(runs: Iterable[Judged], edges: Sequence[float]) -> Fit | None:
    """Fit all programs, and each by the others; None if there are not two."""
    findings = told(runs)
    groups = sorted({one.group for one in findings})
    if len(groups) < 2:
        return None
    factors = {group: factor_of([one for one in findings if one.group != group]) for group in groups}
    left_out = [(stretched(one.confidence, factors[one.group]), one.is_right) for one in findings]
    return Fit(
        factor_of(findings),
        min(factors.values()),
        max(factors.values()),
        _loss((one.confidence, one.is_right) for one in findings),
        _loss(left_out),
        binned(left_out, edges),
    )


def _loss(findings: Iterable[tuple[float, bool]]) -> float:
    return statistics.fmean(
        -math.log(max(confidence if is_right else 1 - confidence, 1e-6)) for confidence, is_right in findings
    )
