"""Findings that were sure and are no more: what had piled up was flushed, rests, or its process ended.

Who has read of a leak must not be left with its silence: it stays in the report as a suspect, says since when
it is no finding any more, and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memprobe.detectors.evidence import Grown
from memprobe.models.growth import Shape
from memprobe.vocab.finding import Finding, Severity

LEFT = 0.4
"""It is a suspect, at most: what took it back may be no matter of its growth, but of who else may own it."""

FLUSHED = frozenset({Shape.SAWTOOTH, Shape.SPIKE})


def taken_back(found: Finding, grown: Grown, after_s: float) -> Finding:
    """Return a finding as it was last told, with the numbers of now: nothing is left of its confidence."""
    growth = grown.growth
    return replace(
        with_reason(found, grown, after_s),
        confidence=min(growth.probability, found.confidence, LEFT),
        severity=Severity.INFO,
        count=grown.count,
        added=grown.added,
        count_per_s=growth.per_s,
        bytes=grown.bytes,
        bytes_per_s=grown.bytes_per_s,
        exhausts_in_s=None,
        limit=None,
        cost_usd_per_month=None,
    )


def with_reason(found: Finding, grown: Grown, after_s: float) -> Finding:
    """Return a finding that says first why it is only a suspect now."""
    growth = grown.growth
    what = "flushed" if growth.shape in FLUSHED else "not sure any more"
    reason = f"Taken back {after_s:.0f} s after the attach, {what}: {growth.sentence}."
    evidence = (reason, *(sentence for sentence in found.evidence if sentence != growth.sentence))
    return replace(found, evidence=evidence)


def outlived(found: Finding, pids: Sequence[int]) -> Finding:
    """Return a finding of processes that have ended, as it was last told: as sure, but it uses nothing up."""
    count = len(set(pids))
    who = f"Process {pids[0]} has" if count == 1 else f"{count} processes have"
    return replace(
        found,
        title=f"{found.title}; its process{' has' if count == 1 else 'es have'} ended",
        evidence=(f"{who} ended; this is how it stood shortly before.", *found.evidence),
        severity=Severity.INFO,
        exhausts_in_s=None,
        limit=None,
    )
