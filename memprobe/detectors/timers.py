"""Calls that are scheduled again and again, and neither run nor are cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

from memprobe.detectors.confidence import Sign, confidence
from memprobe.detectors.evidence import Evidence, Grown, Suspect
from memprobe.detectors.fixes import Cause
from memprobe.detectors.memory_rates import LOOKS, average
from memprobe.detectors.piles import NO_SITE, along_with, filled, held_by, signs, surest
from memprobe.detectors.sites import more_of
from memprobe.ledger.insertions import Filled
from memprobe.vocab.finding import Kind
from memprobe.vocab.stack import Frame, is_standard, python_frames
from memprobe.vocab.subject import Elements, What

SHARE = 0.5
"""Timers that are half of those that were added explain them."""

SCHEDULED = "._scheduled"
"""Where a loop of asyncio has its timers: everybody's, so it says nothing about whose they are."""

SCHEDULING = ("call_later", "call_at")
"""What a program calls to have its own functions called later."""


def of_callback(filled: Filled, callback: str) -> Filled:
    """Put those lines first that schedule such a callback, of all that share the timers of a loop.

    Whoever sleeps or waits with a timeout schedules one of asyncio's own, by way of asyncio's functions.
    """
    is_own = not callback.startswith("asyncio.")
    return replace(
        filled, flows=tuple(sorted(filled.flows, key=lambda flow: _is_direct(flow.site) != is_own))
    )


def _is_direct(site: tuple[Frame, ...]) -> bool:
    """Whether nothing of the standard library is in between."""
    between = takewhile(is_standard, python_frames(site))
    return all(frame.function.rpartition(".")[2] in SCHEDULING for frame in between)


class Timers:
    """Timers of loops, by what they call."""

    kind = Kind.TIMERS

    def suspects(self, evidence: Evidence) -> Iterator[Suspect]:
        """Yield one for each callback with more and more timers, and for collections of timers."""
        kept = tuple(filled(evidence, Elements.TIMERS))
        told: set[tuple[int, int]] = set()
        for grown, along in along_with(evidence, What.TIMERS, kept):
            told |= {one.key for one in along}
            yield _suspect(evidence, grown, along)
        for grown in kept:
            if grown.key not in told and not _is_of_cancelled(evidence, grown):
                yield _suspect(evidence, grown, ())


def _is_of_cancelled(evidence: Evidence, kept: Grown) -> bool:
    """Tell whether what a loop has more are timers that were cancelled: those it drops by itself.

    asyncio does so once there are a hundred timers, and half of them are cancelled. One look does not tell.
    """
    timers = (one for one in evidence.of(What.TIMERS) if one.pid == kept.pid)
    live = [one for one in timers if one.growth.points >= LOOKS]
    is_of_loop = kept.subject.holder.endswith(SCHEDULED)
    return is_of_loop and bool(live) and sum(map(average, live)) < SHARE * average(kept)


def _suspect(evidence: Evidence, grown: Grown, along: tuple[Grown, ...]) -> Suspect:
    subject = grown.subject
    signed = [Sign.NOT_DATA, *signs(evidence, grown, *along)]
    if along:
        signed.append(Sign.CORROBORATED)
    if grown.oldest_s is not None and grown.oldest_s >= evidence.thresholds.timer_age_s:
        signed.append(Sign.OLD)
    holders = [one.subject.holder for one in along]
    own = [holder for holder in holders if not holder.endswith(SCHEDULED)]
    return Suspect(
        kind=Kind.TIMERS,
        grown=(grown, *along),
        confidence=confidence(surest(grown, *along), *signed),
        title=f"{grown.count:,} timers of {subject.type} wait, {more_of(grown)}",
        type=subject.type,
        holder=(*own, *holders, subject.holder)[0],
        site=subject.site,
        evidence=(*_kept_in(along), *subject.notes, *held_by(grown)),
        fix=Cause.TIMERS_NOT_CANCELLED,
        limits=() if subject.site else (NO_SITE,),
    )


def _kept_in(along: tuple[Grown, ...]) -> Iterator[str]:
    for one in along:
        yield f"{one.subject.holder} has {one.count:,} of them."
