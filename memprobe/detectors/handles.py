"""Files, pipes and other descriptors that are opened and not closed."""

from __future__ import annotations

from collections.abc import Iterator

from memprobe.detectors.confidence import sure_of
from memprobe.detectors.evidence import Evidence, Suspect
from memprobe.detectors.fixes import Cause
from memprobe.detectors.handle_leaks import PLURALS, HandleLeak, described, kind_of, leaks
from memprobe.detectors.sites import more_of, where
from memprobe.vocab.finding import Kind

KINDS = frozenset(PLURALS) - {"socket"} | {"unknown", "other"}
NO_SITE = "Which line opens them is not known: births were not seen, or their stacks were not taken."


class Handles:
    """Descriptors that are no sockets."""

    kind = Kind.HANDLES

    def suspects(self, evidence: Evidence) -> Iterator[Suspect]:
        """Yield one for each place whose descriptors pile up."""
        return map(_suspect, leaks(evidence, KINDS))


def _suspect(leak: HandleLeak) -> Suspect:
    grown = leak.grown
    subject = grown.subject
    number = described(grown.count, kind_of(grown))
    return Suspect(
        kind=Kind.HANDLES,
        grown=leak.rests_on,
        confidence=sure_of(grown.growth, *leak.signs),
        title=f"{number} stay open, {more_of(grown)}{where('opened', subject.site)}",
        type=subject.type,
        holder=leak.owner.subject.holder if leak.owner else "",
        site=subject.site,
        evidence=tuple(leak.evidence()),
        fix=_cause(leak),
        limits=() if subject.site else (NO_SITE,),
        resource="descriptors",
        age_s=leak.age_s,
    )


def _cause(leak: HandleLeak) -> Cause:
    if leak.owner is not None:
        return Cause.HANDLES_HELD
    return Cause.HANDLES_LOST if leak.is_lost else Cause.HANDLES_NOT_CLOSED
