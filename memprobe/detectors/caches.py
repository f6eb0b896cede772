"""Collections of data that only ever grow: caches without a limit, registries, queues, and other holders."""

from __future__ import annotations

from collections.abc import Iterator

from memprobe.detectors.confidence import Sign, confidence
from memprobe.detectors.evidence import Evidence, Grown, Suspect
from memprobe.detectors.fixes import Cause
from memprobe.detectors.piles import (
    GARBAGE_LIST,
    NO_SITE,
    WEAK,
    growing_or_heavy,
    held_by,
    is_echo,
    is_heavy,
    keeping_pace,
    plural,
    signs,
    with_memory,
)
from memprobe.detectors.sites import more_of
from memprobe.vocab.finding import Kind
from memprobe.vocab.subject import NEVER_AGAIN, Elements, What

LRU_CACHE = "functools.lru_cache"
LRU_WRAPPER = "functools._lru_cache_wrapper"
OWN = frozenset({Elements.UNKNOWN, Elements.DATA})
OPEN = frozenset({Elements.HANDLES, Elements.SOCKETS})
"""Such collections are about descriptors, as long as descriptors grow along with them."""

QUEUES = ("queue", "_queue", "_unfinished", "pending", "_pending", "backlog")
"""Last names of what is filled at one end and emptied at the other."""

TELLING_S = 1.0
"""What was seen for less than this says nothing of an age."""

PLAIN = frozenset({"", "str", "int", "float", "bytes", "tuple", "list", "dict", "set", "bool", "NoneType"})


class Caches:
    """Any collection that is not about something scarcer."""

    kind = Kind.CACHES

    def suspects(self, evidence: Evidence) -> Iterator[Suspect]:
        """Yield one for each collection and each other holder that grows."""
        for grown in growing_or_heavy(evidence, What.CONTAINER):
            is_much = grown.added >= evidence.thresholds.cache_growth or is_heavy(evidence, grown)
            if is_much and _is_ours(evidence, grown):
                yield _collection(evidence, grown)
        for grown in growing_or_heavy(evidence, What.HOLDER):
            # What an lru_cache holds is told as a collection, with its limit.
            if grown.subject.elements in OWN and grown.subject.container != LRU_WRAPPER:
                yield _holder(evidence, grown)
        for grown in evidence.growing(What.QUEUE):
            yield _queue(evidence, grown)


def _is_ours(evidence: Evidence, grown: Grown) -> bool:
    """Say whether a collection is of data: or of files that are closed, which is the same."""
    subject = grown.subject
    if subject.type in WEAK or subject.holder == GARBAGE_LIST or is_echo(evidence, grown):
        return False
    if subject.elements in OPEN:
        return not keeping_pace(evidence.growing(What.HANDLES), grown)
    return subject.elements in OWN or subject.container == LRU_CACHE


def _collection(evidence: Evidence, grown: Grown) -> Suspect:
    subject = grown.subject
    what = f" of {subject.type}" if subject.type else ""
    return Suspect(
        kind=Kind.CACHES,
        grown=(grown,),
        confidence=confidence(with_memory(evidence, grown), *_signs(evidence, grown)),
        title=f"{subject.holder} ({subject.container}) has {plural(grown.count, 'entry')}{what}, "
        f"{more_of(grown)}",
        type=subject.type or subject.container,
        holder=subject.holder,
        site=subject.site,
        evidence=(*_limits(grown), *subject.notes, *_ages(grown), *held_by(grown)),
        fix=_cause(grown),
        limits=() if subject.site else (NO_SITE,),
    )


def _signs(evidence: Evidence, grown: Grown) -> Iterator[Sign]:
    yield from signs(evidence, grown)
    if grown.subject.limit is None and not NEVER_AGAIN.isdisjoint(grown.subject.notes):
        yield Sign.ENDLESS


def _ages(grown: Grown) -> Iterator[str]:
    if grown.oldest_s is not None and grown.oldest_s >= TELLING_S:
        yield f"Its first entry has been there for at least {grown.oldest_s:.0f} s."


def _limits(grown: Grown) -> Iterator[str]:
    subject = grown.subject
    if subject.limit is not None:
        yield f"It can have {subject.limit:,} entries at most: it may be filling up."
    elif subject.container == LRU_CACHE:
        yield "It has no maxsize."


def _cause(grown: Grown) -> Cause:
    subject = grown.subject
    if subject.container == LRU_CACHE:
        return Cause.LRU_ON_METHOD if set(subject.notes) - NEVER_AGAIN else Cause.LRU_WITHOUT_LIMIT
    if subject.holder.rpartition(".")[2] in QUEUES:
        return Cause.QUEUE_WITHOUT_LIMIT
    is_registry = subject.container.endswith("set") or subject.container in ("list", "WeakSet")
    return Cause.REGISTRY if is_registry and subject.type not in PLAIN | WEAK else Cause.CACHE_WITHOUT_LIMIT


def _holder(evidence: Evidence, grown: Grown) -> Suspect:
    subject = grown.subject
    return Suspect(
        kind=Kind.CACHES,
        grown=(grown,),
        confidence=confidence(with_memory(evidence, grown), *signs(evidence, grown)),
        title=f"{subject.holder} keeps {grown.count:,} {subject.type} alive, {more_of(grown)}",
        type=subject.type,
        holder=subject.holder,
        site=subject.site,
        evidence=(*subject.notes, *held_by(grown)),
        fix=Cause.OBJECTS_HELD,
        limits=() if subject.site else (NO_SITE,),
    )


def _queue(evidence: Evidence, grown: Grown) -> Suspect:
    subject = grown.subject
    return Suspect(
        kind=Kind.CACHES,
        grown=(grown,),
        confidence=confidence(grown.growth.probability, Sign.NOT_DATA, *signs(evidence, grown)),
        title=f"{grown.count:,} calls of {subject.type} wait in an executor, {more_of(grown)}",
        type=subject.type,
        holder=subject.holder,
        site=subject.site,
        evidence=subject.notes,
        fix=Cause.QUEUE_WITHOUT_LIMIT,
    )
