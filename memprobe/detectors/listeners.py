"""Callbacks that somebody registers again and again, and nobody removes."""

from __future__ import annotations

from collections.abc import Iterator

from memprobe.detectors.confidence import Sign, confidence
from memprobe.detectors.evidence import Evidence, Grown, Suspect
from memprobe.detectors.fixes import Cause
from memprobe.detectors.piles import NO_SITE, held_by, is_echo, signs
from memprobe.detectors.sites import more_of
from memprobe.vocab.finding import Kind
from memprobe.vocab.subject import Elements, What

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
        for grown in evidence.growing(What.CONTAINER):
            subject = grown.subject
            is_ours = subject.elements is Elements.CALLABLES and subject.container != LRU_CACHE
            if is_ours and not is_echo(evidence, grown):
                yield _suspect(evidence, grown)


def _suspect(evidence: Evidence, grown: Grown) -> Suspect:
    subject = grown.subject
    what = WORDS.get(subject.type, f"callbacks ({subject.type})")
    return Suspect(
        kind=Kind.LISTENERS,
        grown=(grown,),
        confidence=confidence(grown.growth.probability, Sign.NOT_DATA, *signs(evidence, grown)),
        title=f"{subject.holder} has {grown.count:,} {what}, {more_of(grown)}",
        type=subject.type,
        holder=subject.holder,
        site=subject.site,
        evidence=(*subject.notes, *held_by(grown)),
        fix=Cause.EXIT_HANDLERS if subject.holder.startswith(AT_EXIT) else Cause.LISTENERS_NOT_REMOVED,
        limits=() if subject.site else (NO_SITE,),
    )
