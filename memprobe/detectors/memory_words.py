"""What the memory of the process is doing, in one word, and why."""

from __future__ import annotations

from collections.abc import Sequence

from memprobe.detectors.evidence import Evidence, Grown
from memprobe.detectors.memory_rates import PART, Rates, memory_rates
from memprobe.detectors.native import grows_at, taken_at
from memprobe.detectors.outside import MOST, is_outside
from memprobe.detectors.sites import where
from memprobe.ledger.memory_account import MemoryAccount
from memprobe.models.growth import Shape
from memprobe.vocab.finding import Finding, Kind
from memprobe.vocab.subject import What

LEAK, FRAGMENTATION, WARM_UP = "leak", "fragmentation", "warm-up"
BOUNDED_CACHE, GROWING, STEADY = "bounded cache", "growing", "steady"

MIB = 1 << 20
LEAST_BYTES = MIB
"""Less than this is no growth of resident memory."""

FREE_BYTES, FREE_SHARE = 8 * MIB, 0.25
"""So much of it free inside of Python's arenas is fragmentation."""

MOST_NAMED = 3

SHARE = 0.5
AT_REST = frozenset({Shape.WARM_UP, Shape.BOUNDED, Shape.ONE_OFF, Shape.FLAT, Shape.SPIKE, Shape.SAWTOOTH})
"""Shapes of what does not grow any more."""


def memory_word(evidence: Evidence, findings: Sequence[Finding]) -> tuple[str | None, str | None]:
    """Return the word and the sentence; None where the memory was not seen."""
    account = evidence.memory
    if account is None or account.resident.bytes is None or account.resident.added is None:
        return None, None
    if account.resident.added < LEAST_BYTES:
        return _settled(account, account.resident.bytes)
    sure = [one for one in findings if one.confidence >= evidence.thresholds.confident]
    return _grown(evidence, account, account.resident.added, sure)


def _settled(account: MemoryAccount, resident: int) -> tuple[str, str]:
    free = account.arena_free.bytes or 0
    if free >= max(FREE_BYTES, FREE_SHARE * resident):
        return FRAGMENTATION, (
            f"{_mib(free)} of {_mib(resident)} MB are free inside of Python's arenas: what is left there "
            "keeps the arenas from being given back."
        )
    return STEADY, f"Resident memory stays at {_mib(resident)} MB."


def _grown(
    evidence: Evidence, account: MemoryAccount, added: int, sure: Sequence[Finding]
) -> tuple[str, str]:
    grew = f"Resident memory grew by {_mib(added)} MB"
    course = _course(evidence, account.pid)
    rests = course is not None and course.growth.shape in AT_REST
    rates = next((one for one in memory_rates(evidence) if one.grown.pid == account.pid), None)
    if sure and (_is_unexplained(rates) or _may_explain(sure, added, evidence.duration_s)):
        return LEAK, f"{grew}{_causes(evidence, rates, sure)}"
    if (account.arena_free.added or 0) >= SHARE * added:
        free = _mib(account.arena_free.added or 0)
        return FRAGMENTATION, f"{grew}, and {free} MB of it are free again inside of Python's arenas."
    bounded = _bounded(evidence, account.pid)
    if bounded is not None:
        limit = f", at most {bounded.subject.limit:,}" if bounded.subject.limit else ""
        return BOUNDED_CACHE, f"{grew}; {bounded.subject.holder} has {bounded.count:,} entries{limit}."
    if rests:
        return WARM_UP, f"{grew} and has come to rest."
    if course is not None and _may_go_on(evidence, course):
        return GROWING, f"{grew} and goes on{_seen_from_outside(evidence, course)}"
    return GROWING, f"{grew} and goes on; whether for good is not known yet."


def _may_go_on(evidence: Evidence, course: Grown) -> bool:
    """Tell whether nobody looks at what grows, and it is worth a suspicion."""
    return is_outside(evidence, course.pid) and course.growth.probability >= evidence.thresholds.shown


def _seen_from_outside(evidence: Evidence, course: Grown) -> str:
    """Say how sure it is that it goes on for good: of a process that is not looked into there is no more."""
    taken = where("most of it taken", grows_at(evidence, course.pid))
    sure = min(MOST, course.growth.probability)
    return (
        f" by {course.growth.per_s / 1024:,.0f} kB every second{taken}, for good with a confidence of "
        f"{sure:.2f} (at most {MOST}: which objects take it is not seen from outside)."
    )


def _may_explain(sure: Sequence[Finding], added: int, seconds: float) -> bool:
    """Tell whether leaks have a large part in the growth; of some nobody knows what they take.

    A service that forgets a few small things may have loaded 100 MB meanwhile: that is no leak.
    """
    taken = [one.bytes_per_s for one in sure]
    return None in taken or sum(filter(None, taken)) * seconds >= PART * added


def _is_unexplained(rates: Rates | None) -> bool:
    """Tell whether memory that no object explains has a large part in the growth."""
    return rates is not None and rates.unexplained >= PART * rates.anonymous > 0


def _causes(evidence: Evidence, rates: Rates | None, sure: Sequence[Finding]) -> str:
    """Name what has a large part in the growth: of several leaks the largest first, of which C may be one."""
    takes = {one.id: _bytes_per_s(one, rates) for one in sure}
    total = rates.anonymous if rates else sum(takes.values())
    large = [one for one in sure if takes[one.id] >= max(PART * total, 1.0)]
    large.sort(key=lambda one: -takes[one.id])
    told = [one.title for one in large[:MOST_NAMED]]
    if rates and _is_unexplained(rates) and all(one.kind is not Kind.NATIVE for one in sure):
        taken = where("most memory taken", taken_at(evidence, rates))
        told.insert(
            0, f"{rates.unexplained / 1024:,.0f} kB every second that no Python object explains{taken}"
        )
    if not told:
        return "; none of what was found explains a large part of that."
    return f"; most of it by this: {'; '.join(told)}."


def _bytes_per_s(finding: Finding, rates: Rates | None) -> float:
    """What a leak costs: of objects no more than all objects together, whatever they seem to hold."""
    cost = finding.bytes_per_s or 0.0
    return cost if rates is None or finding.kind is Kind.NATIVE else min(cost, max(rates.objects, 0.0))


def _course(evidence: Evidence, pid: int) -> Grown | None:
    courses = (one for one in evidence.of(What.MEMORY) if one.pid == pid and one.subject.type == "resident")
    return next(courses, None)


def _bounded(evidence: Evidence, pid: int) -> Grown | None:
    """Return the largest collection that grew and has a limit, or has come to its own."""
    found = [
        one
        for one in evidence.of(What.CONTAINER)
        if one.pid == pid and one.added > 0 and (one.subject.limit or one.growth.shape is Shape.BOUNDED)
    ]
    return max(found, key=lambda one: (one.added, one.subject_id), default=None)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / MIB:,.1f}"
