"""Collections, and other holders, that are filled with one sort of thing: what several detectors look at."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator

from memprobe.config.units import BYTES_PER_MB
from memprobe.detectors.confidence import Sign
from memprobe.detectors.evidence import Evidence, Grown
from memprobe.detectors.memory_rates import memory_of
from memprobe.models.growth.needs import PIECES
from memprobe.vocab.subject import Elements, Seen, What

PACE = (0.5, 2.0)
"""What grows at half to double the speed of something else goes along with it."""

WEAK = frozenset({"weakref", "weakref.ReferenceType", "weakref.KeyedRef", "KeyedRef"})
"""Types of references that hold nothing."""

CERTAIN = 0.5
"""A growth that is so probable is certain by itself."""

_UNDER_WAY = frozenset({What.TASKS, What.ENDED_TASKS, What.TIMERS, What.QUEUE, What.THREADS})

_ROOT = re.compile(r"\w+")

GARBAGE_LIST = "gc.garbage"
"""Where the collector puts what it cannot free, or shall not."""

NO_SITE = "Which line puts them in is not known: nothing was seen of the insertions."


def filled(evidence: Evidence, *elements: Elements) -> Iterator[Grown]:
    """Yield the collections and holders that grow and are filled with such things."""
    for one in evidence.growing(What.CONTAINER, What.HOLDER):
        if one.subject.elements in elements and one.subject.type not in WEAK:
            yield one


def keeping_pace(piles: Iterable[Grown], grown: Grown) -> tuple[Grown, ...]:
    """Return the piles of the same process that grow along with something, the most certain first."""
    low, high = (bound * rate(grown) for bound in PACE)
    found = [one for one in piles if one.pid == grown.pid and low <= rate(one) <= high]
    return tuple(sorted(found, key=lambda one: (-one.growth.probability, -one.count, one.subject_id)))


def rate(grown: Grown) -> float:
    """Return how many more there were every second on average: few looks are enough to know that."""
    duration_s = grown.growth.duration_s
    return grown.added / duration_s if duration_s > 0 else 0.0


def along_with(
    evidence: Evidence, what: What, kept: tuple[Grown, ...]
) -> Iterator[tuple[Grown, tuple[Grown, ...]]]:
    """Yield what grows of one sort, or may: then the collections that keep pace with it do."""
    lowest = evidence.thresholds.shown / 4
    for grown in evidence.of(what):
        along = keeping_pace(kept, grown) if grown.added > 0 else ()
        if along or (grown.added > 0 and grown.growth.probability >= lowest):
            yield grown, along


def surest(*piles: Grown) -> float:
    """Return the highest probability of things that grow together."""
    return max(one.growth.probability for one in piles)


def is_echo(evidence: Evidence, grown: Grown) -> bool:
    """Say whether a collection only shows what grows elsewhere.

    It is of weak references, or one of Python's own library in which everything of a sort is entered, and
    something that keeps things alive grows along with it.
    """
    if not is_secondary(grown):
        return False
    others = evidence.growing(What.CONTAINER, What.HOLDER, What.TASKS, What.THREADS, What.HANDLES)
    return bool(keeping_pace((one for one in others if not is_secondary(one)), grown))


def is_secondary(grown: Grown) -> bool:
    """Say whether a collection would hardly be the cause if anything else could be."""
    subject = grown.subject
    if subject.what is not What.CONTAINER:
        return False
    root = _ROOT.match(subject.holder)
    return subject.type in WEAK or (root is not None and root[0] in sys.stdlib_module_names)


def signs(evidence: Evidence, grown: Grown, *along: Grown) -> Iterator[Sign]:
    """Yield what speaks for and against every pile, given what grows along with it."""
    if is_heavy(evidence, grown):
        yield Sign.HEAVY
    elif surest(grown, *along) < CERTAIN and grown.count < _few(evidence, grown):
        yield Sign.SMALL
    if grown.subject.limit is not None:
        yield Sign.LIMITED
    if grown.seen & Seen.CHURNING:
        yield Sign.ROUGH


def _few(evidence: Evidence, grown: Grown) -> int:
    """Return how many are worth a word: of data more than of what programs seldom collect."""
    subject, thresholds = grown.subject, evidence.thresholds
    is_data = subject.elements in (Elements.DATA, Elements.UNKNOWN) and subject.what not in _UNDER_WAY
    return thresholds.cache_items if is_data else thresholds.cache_growth


def is_heavy(evidence: Evidence, grown: Grown) -> bool:
    """Say whether the few that were added take so much memory that they need not be many."""
    added_bytes = (grown.bytes_per_s or 0.0) * grown.growth.duration_s
    return 0 < grown.added < PIECES and added_bytes >= evidence.thresholds.heavy_mb * BYTES_PER_MB


def growing_or_heavy(evidence: Evidence, what: What) -> Iterator[Grown]:
    """Yield what grows, and of the others those that are so heavy that a few of them matter."""
    growing = {one.key for one in evidence.growing(what)}
    for one in evidence.of(what):
        if one.key in growing or is_heavy(evidence, one):
            yield one


def with_memory(evidence: Evidence, grown: Grown) -> float:
    """Return how probably it grows: of few but heavy ones the memory of the process may tell it sooner."""
    memory = memory_of(evidence, grown) if is_heavy(evidence, grown) else None
    if memory is None or memory.growth.probability < CERTAIN:
        return grown.growth.probability
    return surest(grown, memory)


def held_by(grown: Grown) -> Iterator[str]:
    """Say what holds the holder, and how much hangs on it."""
    if grown.subject.chain:
        yield f"{grown.subject.chain[0]} holds it, or the same things."
    if grown.bytes:
        yield f"{grown.bytes:,} bytes would be free without it."


def plural(count: int, thing: str) -> str:
    """Return such as "1,024 entries" or "1 entry"."""
    if count == 1:
        return f"1 {thing}"
    return f"{count:,} {thing[:-1]}ies" if thing.endswith("y") else f"{count:,} {thing}s"
