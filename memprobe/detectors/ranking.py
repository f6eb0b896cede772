"""Which leak comes first: the one that uses something up soonest, then the one that costs most."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from memprobe.config import Thresholds
from memprobe.config.units import BYTES_PER_MB
from memprobe.detectors.evidence import Resource
from memprobe.detectors.merging import Leak
from memprobe.ledger import Ledger
from memprobe.vocab.finding import Finding, Severity
from memprobe.vocab.rows import NOT_MEASURED

CRITICAL_S, WARNING_S = 3_600.0, 7 * 86_400.0
"""Used up within an hour: critical; within a week: a warning."""

SHARED: frozenset[Resource] = frozenset({"memory", "threads"})
"""What the processes of a tree take from one another: eight workers use it up eight times as fast."""


@dataclass(frozen=True, slots=True)
class Exhaustion:
    """The limit that a leak runs into first."""

    limit: Resource
    in_s: float


def exhaustion(leak: Leak, ledger: Ledger) -> Exhaustion | None:
    """Return what is used up first; None if nothing is, or no limit is known."""
    by_process = {pid: _rates(leak, pid) for pid in sorted({grown.pid for grown in leak.grown})}
    found = [
        Exhaustion(resource, room / rate)
        for pid, rates in by_process.items()
        for resource, own in rates.items()
        if (rate := _of_all(by_process.values(), resource) if resource in SHARED else own) > 0
        and (room := _room(ledger, pid, resource)) is not None
    ]
    return min(found, key=lambda one: (one.in_s, one.limit), default=None)


def severity(soonest: Exhaustion | None, size_bytes: int | None, thresholds: Thresholds) -> Severity:
    """Return how urgent it is: by what is used up soon, or much memory that is gone already."""
    if soonest is not None and soonest.in_s < CRITICAL_S:
        return Severity.CRITICAL
    is_soon = soonest is not None and soonest.in_s < WARNING_S
    is_much = (size_bytes or 0) >= thresholds.memory_mb * BYTES_PER_MB
    return Severity.WARNING if is_soon or is_much else Severity.INFO


def ranked(findings: list[Finding], sure: float) -> list[Finding]:
    """Order findings: what is sure before suspects, then the soonest, then the dearest."""
    return sorted(
        findings,
        key=lambda one: (
            one.confidence < sure,
            float("inf") if one.exhausts_in_s is None else one.exhausts_in_s,
            -(one.bytes_per_s or 0.0),
            -one.confidence,
            one.id,
        ),
    )


def _rates(leak: Leak, pid: int) -> dict[Resource, float]:
    """Return how fast a leak takes of each resource in one process."""
    rates: dict[Resource, float] = {}
    for suspect in leak.suspects:
        for grown in suspect.grown[:1]:
            if grown.pid == pid:
                _take(rates, "memory", grown.bytes_per_s)
                if suspect.resource != "memory":
                    _take(rates, suspect.resource, grown.growth.per_s)
    return rates


def _of_all(by_process: Iterable[dict[Resource, float]], resource: Resource) -> float:
    """Return how fast a leak takes of a resource in all its processes together."""
    return sum(rates.get(resource, 0.0) for rates in by_process)


def _take(rates: dict[Resource, float], resource: Resource, rate: float | None) -> None:
    """Suspects of one leak are views of the same things: the fastest counts, not the sum."""
    rates[resource] = max(rates.get(resource, 0.0), rate or 0.0)


def _room(ledger: Ledger, pid: int, resource: Resource) -> int | None:
    """Return how much is left of a resource."""
    sample = ledger.processes.last(pid)
    if sample is None:
        return None
    rooms = [
        int(sample[limit][0]) - (int(sample[used][0]) if used else 0)
        for limit, used in _LIMITS[resource]
        if NOT_MEASURED not in (sample[limit][0], sample[used][0] if used else 0)
    ]
    return max(0, min(rooms)) if rooms else None


_LIMITS: dict[Resource, tuple[tuple[str, str | None], ...]] = {
    "memory": (("limit_bytes", "limit_used_bytes"), ("available_bytes", None)),
    "descriptors": (("fd_limit", "fds"),),
    "threads": (("thread_limit", "thread_limit_used"),),
}
"""By resource: the fields of a sample with a limit, and with what is used of it."""
