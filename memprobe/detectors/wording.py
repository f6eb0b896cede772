"""From a leak to the finding of the report: its numbers added up, its evidence in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import dropwhile
from typing import TypeVar

from memprobe.detectors.evidence import Evidence, Grown
from memprobe.detectors.fixes import advice
from memprobe.detectors.insertions import birth_sentences, born_by, filled_by, flow_sentences
from memprobe.detectors.makers import stack_of_maker
from memprobe.detectors.merging import Leak
from memprobe.detectors.native import GROWTH_SITE
from memprobe.detectors.piles import NO_SITE
from memprobe.detectors.ranking import exhaustion, severity
from memprobe.ledger import Ledger
from memprobe.ledger.insertions import Filled
from memprobe.vocab.finding import Age, Finding, Kind
from memprobe.vocab.stack import Frame, is_standard, own_frame

Number = TypeVar("Number", int, float)

SENTENCES = 12
"""Of evidence, at most; and of what is not known."""

LISTED = 5
"""Of what comes of the same cause, and of processes."""

HOURS_PER_MONTH = 720.0
GB = 1e9


def finding(
    leak: Leak, evidence: Evidence, finding_id: str, after_s: float, usd_per_gb_hour: float
) -> Finding:
    """Return the finding of a leak."""
    size_bytes = _bytes(leak, lambda grown: grown.bytes)
    lead, soonest = leak.lead, exhaustion(leak, evidence.ledger)
    filled = filled_by(leak, evidence.ledger)
    born = born_by(leak, evidence.ledger) if filled is None else None
    whole = _site(leak, evidence.ledger, filled) if born is None else born.flows[0].site
    site = _telling(whole)
    holder = lead.holder or next((one.holder for one in leak.suspects if one.holder), "")
    return Finding(
        id=finding_id,
        kind=lead.kind,
        title=_title(leak),
        confidence=lead.confidence,
        severity=severity(soonest, size_bytes, evidence.thresholds),
        count=_sum(leak.piles, lambda grown: grown.count),
        added=_sum(leak.piles, lambda grown: grown.added),
        count_per_s=_sum(leak.piles, lambda grown: grown.growth.per_s),
        bytes=size_bytes,
        bytes_per_s=_bytes(leak, lambda grown: grown.bytes_per_s),
        type=lead.type,
        holder=holder,
        site=site,
        detected_after_s=after_s,
        exhausts_in_s=None if soonest is None else soonest.in_s,
        limit=None if soonest is None else soonest.limit,
        cost_usd_per_month=cost_usd_per_month(size_bytes, usd_per_gb_hour),
        age_s=_age(leak),
        evidence=_once(_evidence(leak, filled, born)),
        suggested_fix=advice(lead.fix, site=own_frame(site), holder=holder, type_name=lead.type),
        limits=_once(
            sentence
            for one in leak.same
            for sentence in one.limits
            if not (site and sentence == NO_SITE) and not (born and sentence == GROWTH_SITE)
        ),
        below=whole[: len(whole) - len(site)],
        cause=lead.fix.value,
    )


def cost_usd_per_month(size_bytes: float | None, usd_per_gb_hour: float) -> float | None:
    """Return what it costs to hold this much for a month."""
    return None if size_bytes is None else size_bytes / GB * HOURS_PER_MONTH * usd_per_gb_hour


def _site(leak: Leak, ledger: Ledger, filled: Filled | None) -> tuple[Frame, ...]:
    known = next((one.site for one in leak.suspects if one.site), ())
    if not known and filled is not None:
        known = filled.flows[0].site
    if known or not leak.piles or leak.lead.kind == Kind.NATIVE:
        return known
    return stack_of_maker(leak.lead.type, ledger, leak.piles[0].pid)


def _telling(site: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Return a stack from the innermost frame on that is not of the standard library, if there is one."""
    return tuple(dropwhile(is_standard, site)) or site


def _title(leak: Leak) -> str:
    pids = {grown.pid for grown in leak.piles}
    return leak.lead.title if len(pids) < 2 else f"{leak.lead.title} (in {len(pids)} processes)"


def _evidence(leak: Leak, filled: Filled | None, born: Filled | None) -> Iterable[str]:
    """Yield sentences, the most telling first."""
    if leak.piles:
        yield max(leak.piles, key=lambda grown: (grown.added, grown.pid)).growth.sentence
    if filled is not None:
        yield from flow_sentences(filled)
    if born is not None:
        yield from birth_sentences(born)
    yield from leak.lead.evidence
    pids = sorted({grown.pid for grown in leak.piles})
    if len(pids) > 1:
        more = f" and {len(pids) - LISTED} more" if len(pids) > LISTED else ""
        yield f"It is the same in processes {', '.join(map(str, pids[:LISTED]))}{more}."
    for other in leak.others[:LISTED]:
        yield f"Comes of the same: {other.title}"


def _once(sentences: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sentence for sentence in sentences if sentence))[:SENTENCES]


def _age(leak: Leak) -> Age | None:
    if leak.lead.age_s is not None:
        return Age(*leak.lead.age_s)
    oldest = [grown.oldest_s for grown in leak.piles if grown.oldest_s is not None]
    return Age(None, max(oldest)) if oldest else None


def _bytes(leak: Leak, number: Callable[[Grown], Number | None]) -> Number | None:
    """What piles up takes; where nobody knows, what the collection that it is in takes."""
    own = _sum(leak.piles, number)
    others = [value for grown in leak.grown if (value := number(grown)) is not None]
    return max(others, default=None) if own is None else own


def _sum(piles: tuple[Grown, ...], number: Callable[[Grown], Number | None]) -> Number | None:
    values = [value for grown in piles if (value := number(grown)) is not None]
    return sum(values[1:], values[0]) if values else None
