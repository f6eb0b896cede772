"""Tasks and futures: those that never end, and those that have ended and are kept."""

from __future__ import annotations

from collections.abc import Iterator

from memprobe.detectors.confidence import Sign, confidence
from memprobe.detectors.evidence import Evidence, Grown, Suspect
from memprobe.detectors.fixes import Cause
from memprobe.detectors.piles import NO_SITE, along_with, filled, held_by, signs, surest
from memprobe.detectors.sites import more_of, where
from memprobe.vocab.finding import Kind
from memprobe.vocab.subject import Elements, What


class Tasks:
    """Tasks by what they run, and whoever keeps them."""

    kind = Kind.TASKS

    def suspects(self, evidence: Evidence) -> Iterator[Suspect]:
        """Yield one for each coroutine that waits more and more often, and for what keeps ended tasks."""
        kept = tuple(filled(evidence, Elements.TASKS))
        told: set[tuple[int, int]] = set()
        for grown, along in along_with(evidence, What.TASKS, kept):
            told |= {one.key for one in along}
            yield _pending(evidence, grown, along)
        others = tuple(one for one in kept if one.key not in told)
        for grown, along in along_with(evidence, What.ENDED_TASKS, others):
            told |= {one.key for one in along}
            yield _ended(evidence, grown, along)
        for grown in kept:
            if grown.key not in told:
                yield _ended(evidence, grown, ())


def _pending(evidence: Evidence, grown: Grown, along: tuple[Grown, ...]) -> Suspect:
    subject = grown.subject
    return Suspect(
        kind=Kind.TASKS,
        grown=(grown, *along),
        confidence=confidence(surest(grown, *along), Sign.NOT_DATA, *signs(evidence, grown, *along)),
        title=f"{grown.count:,} tasks of {subject.type} do not end, {more_of(grown)}"
        f"{where('waiting', subject.site)}",
        type=subject.type,
        holder=along[0].subject.holder if along else subject.holder,
        site=subject.site,
        evidence=(*subject.notes, *_kept_in(along)),
        fix=Cause.TASKS_PENDING,
        limits=() if subject.site else ("Where they wait could not be read.",),
    )


def _ended(evidence: Evidence, grown: Grown, along: tuple[Grown, ...]) -> Suspect:
    subject = grown.subject
    holder = along[0].subject.holder if along else subject.holder
    signed = (Sign.NOT_DATA, *([Sign.CORROBORATED] if along else []), *signs(evidence, grown, *along))
    return Suspect(
        kind=Kind.TASKS,
        # The collection first: its numbers are exact, and read every second.
        grown=(*along, grown),
        confidence=confidence(surest(grown, *along), *signed),
        title=f"{holder or 'Somebody'} keeps {grown.count:,} {subject.type} that have ended, "
        f"{more_of(grown)}",
        type=subject.type,
        holder=holder,
        site=subject.site,
        evidence=(*subject.notes, *held_by(along[0] if along else grown)),
        fix=Cause.TASKS_KEPT,
        limits=(NO_SITE,),
    )


def _kept_in(along: tuple[Grown, ...]) -> Iterator[str]:
    for one in along[:1]:
        yield f"{one.subject.holder} keeps them: {one.count:,} entries."
