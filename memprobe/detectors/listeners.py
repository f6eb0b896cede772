"""Callbacks that somebody registers again and again, and nobody removes."""

from __future__ import annotations

from collections.abc import Iterator

from memprobe.detectors.confidence import Sign, confidence
from memprobe.detectors.evidence import Evidence, Grown, Suspect
from memprobe.detectors.fixes import Cause
from memprobe.detectors.piles import NO_SITE, WEAK, along_with, held_by, is_echo, signs, surest
from memprobe.detectors.sites import more_of
from memprobe.vocab.finding import Kind
from memprobe.vocab.subject import SAME_AGAIN, Elements, Subject, What

LRU_CACHE = "functools.lru_cache"
AT_EXIT = ("atexit", "<atexit>")
WORDS = {
    "method": "bound methods",
    "function": "functions",
    "functools.partial": "partials",
    "builtin_function_or_method": "methods of C types",
}


class Listeners:
    """Collections of things that are called, whatever they are called themselves."""

    kind = Kind.LISTENERS

    def suspects(self, evidence: Evidence) -> Iterator[Suspect]:
        """Yield one for each collection of callables that grows."""
        weak = tuple(one for one in evidence.growing(What.CONTAINER) if one.subject.type in WEAK)
        told: set[tuple[int, int]] = set()
        for grown, along in along_with(evidence, What.CONTAINER, weak):
            if _is_of_callables(grown) and grown.subject.type not in WEAK and not is_echo(evidence, grown):
                told |= {one.key for one in along}
                yield _suspect(evidence, grown, along)
        for grown in weak:
            if _is_of_callables(grown) and grown.key not in told and not is_echo(evidence, grown):
                yield _suspect(evidence, grown, ())


def _is_of_callables(grown: Grown) -> bool:
    return grown.subject.elements is Elements.CALLABLES and grown.subject.container != LRU_CACHE


def _suspect(evidence: Evidence, grown: Grown, along: tuple[Grown, ...]) -> Suspect:
    subject = grown.subject
    what = WORDS.get(subject.type, f"callbacks ({subject.type})")
    return Suspect(
        kind=Kind.LISTENERS,
        # What refers weakly to the same callbacks counts them, too, and perhaps more often.
        grown=(grown, *along),
        confidence=confidence(surest(grown, *along), Sign.NOT_DATA, *signs(evidence, grown, *along)),
        title=f"{subject.holder} has {grown.count:,} {what}, {more_of(grown)}",
        type=subject.type,
        holder=subject.holder,
        site=subject.site,
        evidence=(*subject.notes, *held_by(grown)),
        fix=_cause(subject),
        limits=() if subject.site else (NO_SITE,),
    )


def _cause(subject: Subject) -> Cause:
    if subject.holder.startswith(AT_EXIT):
        return Cause.EXIT_HANDLERS
    return Cause.LISTENERS_AGAIN if SAME_AGAIN in subject.notes else Cause.LISTENERS_NOT_REMOVED
