"""Cycles that wait for the collector, that it cannot free, and exceptions that are kept with their frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from memprobe.detectors.confidence import Sign, confidence
from memprobe.detectors.evidence import Evidence, Grown, Suspect
from memprobe.detectors.fixes import Cause
from memprobe.detectors.memory_rates import memory_of
from memprobe.detectors.piles import GARBAGE_LIST, NO_SITE, filled, held_by, signs, surest
from memprobe.detectors.sites import more_of
from memprobe.vocab.finding import Kind
from memprobe.vocab.subject import Elements, What

COLLECTED_BY_HAND_S = 20.0
"""A program that has turned the collector off may collect by hand: so long it is given to do so."""

SEEN_TO_RISE = 4
"""Readings that must have shown more each time: those of a saw come in any order."""

OFF = (
    "the collector is off",
    "the collector's threshold is 0: it never runs by itself",
    "the collector's threshold is so high that it hardly ever runs",
)

NATIVE = "<native code>"
NOTHING = "<nothing>"
"""What stands for the holder of garbage."""

PLAIN = frozenset(
    {
        *("dict", "list", "tuple", "set", "cell", "method", "function", "frame", "traceback", "str", "int"),
        *("weakref.ReferenceType", "weakref", "builtin_function_or_method", "bytes", "object", "bytearray"),
    }
)
"""Types that are part of most cycles, and say nothing about which one it is."""


class Cycles:
    """What refers to itself in a ring, or is kept by an exception."""

    kind = Kind.CYCLES

    def suspects(self, evidence: Evidence) -> Iterator[Suspect]:
        """Yield one for the garbage of each process, one for what cannot be freed, and kept exceptions."""
        for what in (What.GARBAGE, What.UNCOLLECTABLE):
            by_process: dict[int, list[Grown]] = {}
            for grown in evidence.growing(what):
                by_process.setdefault(grown.pid, []).append(grown)
            for together in by_process.values():
                yield _cycle(evidence, _ranked(together))
        for grown in evidence.growing(What.CONTAINER):
            if grown.subject.holder == GARBAGE_LIST:
                yield _saved(evidence, grown)
        for grown in filled(evidence, Elements.EXCEPTIONS):
            if grown.subject.holder != GARBAGE_LIST:
                yield _kept(evidence, grown)


def _ranked(garbage: Iterable[Grown]) -> tuple[Grown, ...]:
    """Bring the types of one heap of garbage into order: that first which says whose cycle it is."""
    return tuple(
        sorted(
            garbage,
            key=lambda one: (
                one.growth.probability < 0.5,
                one.subject.type in PLAIN,
                "." not in one.subject.type,
                -one.added,
                one.subject_id,
            ),
        )
    )


def _cycle(evidence: Evidence, together: tuple[Grown, ...]) -> Suspect:
    lead = together[0]
    subject = lead.subject
    types = ", ".join(f"{one.count:,} {one.subject.type}" for one in together[:5])
    memory = memory_of(evidence, *together) if _stays(lead) else None
    courses = (*together, memory) if memory else together
    return Suspect(
        kind=Kind.CYCLES,
        grown=together,
        confidence=confidence(surest(*courses), *_cycle_signs(evidence, lead)),
        title=f"{lead.count:,} {subject.type} in cycles that nothing refers to, {more_of(lead)}: "
        f"{_why(lead)}",
        type=subject.type,
        holder=NOTHING,
        site=subject.site,
        evidence=(
            f"Unreachable and not freed: {types}.",
            *subject.notes,
            *([f"The memory of the process goes with them: {memory.growth.sentence}."] if memory else []),
        ),
        fix=_cause(lead),
        limits=() if subject.site else ("Which line makes them is not known.",),
    )


def _cycle_signs(evidence: Evidence, lead: Grown) -> Iterator[Sign]:
    if lead.subject.what is What.UNCOLLECTABLE:
        yield Sign.UNREACHABLE
    elif not _is_off(lead):
        yield Sign.RECYCLED
    elif lead.growth.duration_s < COLLECTED_BY_HAND_S:
        yield Sign.YOUNG
    elif lead.growth.points >= SEEN_TO_RISE:
        yield Sign.UNCOLLECTED
    yield from signs(evidence, lead)


def _stays(lead: Grown) -> bool:
    """Tell whether what there is more of is not just on its way to the collector."""
    return lead.subject.what is What.UNCOLLECTABLE or _is_off(lead)


def _is_off(lead: Grown) -> bool:
    return not set(OFF).isdisjoint(lead.subject.notes)


def _why(lead: Grown) -> str:
    if lead.subject.what is What.UNCOLLECTABLE:
        return "the collector cannot free them"
    return "the collector does not run" if _is_off(lead) else "the collector does not come to them"


def _cause(lead: Grown) -> Cause:
    if lead.subject.what is What.UNCOLLECTABLE:
        return Cause.UNCOLLECTABLE
    return Cause.COLLECTOR_OFF if _is_off(lead) else Cause.CYCLES_WAIT


def _saved(evidence: Evidence, grown: Grown) -> Suspect:
    subject = grown.subject
    return Suspect(
        kind=Kind.CYCLES,
        grown=(grown,),
        confidence=confidence(grown.growth.probability, Sign.UNREACHABLE, *signs(evidence, grown)),
        title=f"{GARBAGE_LIST} has {grown.count:,} {subject.type} that were garbage, {more_of(grown)}",
        type=subject.type,
        holder=subject.holder,
        site=subject.site,
        evidence=("The collector saves what it finds (gc.DEBUG_SAVEALL), or cannot free it.",),
        fix=Cause.UNCOLLECTABLE,
        limits=() if subject.site else (NO_SITE,),
    )


def _kept(evidence: Evidence, grown: Grown) -> Suspect:
    subject = grown.subject
    # The newest traceback came after the look began: that its chain hangs on native code only seems so.
    holder = "" if subject.holder.startswith(NATIVE) else subject.holder
    return Suspect(
        kind=Kind.CYCLES,
        grown=(grown,),
        confidence=confidence(grown.growth.probability, Sign.NOT_DATA, *signs(evidence, grown)),
        title=f"{holder or 'Something'} keeps {grown.count:,} {subject.type}, "
        f"with the variables of their frames, {more_of(grown)}",
        type=subject.type,
        holder=holder,
        site=subject.site,
        evidence=(*subject.notes, *held_by(grown)),
        fix=Cause.TRACEBACKS_KEPT,
        limits=() if subject.site else (NO_SITE,),
    )
