"""Descriptors that pile up: what the detectors of handles and of sockets have in common.

Where births are seen, descriptors are followed by the place that opened them; where they are not, by kind. A
place whose descriptors come instead of older ones (a pool that renews its connections) is no leak, so the
kind must grow along with the place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from memprobe.detectors.confidence import Sign
from memprobe.detectors.evidence import Evidence, Grown
from memprobe.ledger.derived import ALL_DESCRIPTORS
from memprobe.ledger.handle_group import HandleGroup
from memprobe.models.learning.normal import Needed
from memprobe.vocab.sort import Sort
from memprobe.vocab.subject import Elements, Seen, What

SHARE = 0.5
"""What grows at least half as fast explains something."""

OWNERS = (0.25, 1.5)
"""How many objects there may be for one descriptor: a pipe has two ends and perhaps one owner."""

LOOKS = 2
"""So many looks at the heap before it is said that no object owns them."""

OBJECTS = "objects"
"""Of MEMORY: all Python objects; counted at every look at the heap."""

PLURALS = {
    "file": "files",
    "socket": "sockets",
    "pipe": "ends of pipes",
    "epoll": "epoll descriptors",
    "eventfd": "eventfds",
    "timerfd": "timerfds",
    "signalfd": "signalfds",
    "inotify": "inotify descriptors",
    "memfd": "memfds",
    "pidfd": "pidfds",
    "io_uring": "io_urings",
    "tty": "terminals",
}


@dataclass(frozen=True, slots=True)
class HandleLeak:
    """Descriptors that pile up."""

    grown: Grown
    """Of a place, or of a kind where nobody knows who opens them."""

    group: HandleGroup
    owner: Grown | None
    """The collection that grows along with them."""

    needed: Needed
    """How likely one as old as half of them are is needed still."""

    is_lost: bool
    """Whether no Python object grows along with them: their numbers were forgotten, or C code has them."""

    @property
    def signs(self) -> Iterator[Sign]:
        """What is known of them beside their growth."""
        if self.is_lost:
            yield Sign.UNREACHABLE
        if self.owner is not None:
            yield Sign.CORROBORATED
            if self.owner.subject.limit is not None:
                yield Sign.LIMITED
        opened, closed = self.group.opened or 0, self.group.closed or 0
        if self.needed.high < SHARE:
            yield Sign.OLD
        if closed > SHARE * opened:
            yield Sign.RECYCLED
        if self.grown.seen & Seen.ESTIMATED:
            yield Sign.ROUGH

    @property
    def rests_on(self) -> tuple[Grown, ...]:
        """What piles up, and what goes with it."""
        return (self.grown,) if self.owner is None else (self.grown, self.owner)

    @property
    def age_s(self) -> tuple[float, float] | None:
        """Median and maximum."""
        median, oldest = self.group.median_age_s, self.group.oldest_s
        return None if median is None or oldest is None else (median, oldest)

    def evidence(self) -> Iterator[str]:
        """What was seen, as sentences."""
        if self.group.opened:
            closed = self.group.closed or 0
            yield f"Since the attach {self.group.opened:,} were opened there and {closed:,} closed."
        if self.owner is not None:
            owner = self.owner
            yield f"{owner.subject.holder} grows along with them, by {owner.growth.per_s:.3g} a second."
        if self.is_lost:
            yield "No Python object grows along with them: their numbers were forgotten, or C code has them."
        if self.needed.high < SHARE:
            yield f"They are older than others became: {self.needed.sentence}."
        if self.group.targets and not self.grown.subject.site:
            told = ", ".join(f"{target} ({share:.0%})" for target, share in self.group.targets)
            yield f"They point to {told}."
        if self.group.examples:
            yield f"The newest are {', '.join(self.group.examples)}."


def leaks(evidence: Evidence, kinds: Collection[str]) -> Iterator[HandleLeak]:
    """Yield what piles up of descriptors of these kinds, by place as far as places are known."""
    totals = {(one.pid, one.subject.type): one for one in evidence.of(What.HANDLES) if not one.subject.site}
    explained: dict[tuple[int, str], float] = {}
    for place in evidence.growing(What.HANDLES):
        key = place.pid, kind_of(place)
        total = totals.get(key) or totals.get((place.pid, ALL_DESCRIPTORS))
        if place.subject.site and kind_of(place) in kinds and total and _goes_with(total, place):
            explained[key] = explained.get(key, 0.0) + place.growth.per_s
            yield _leak(evidence, place)
    for total in evidence.growing(What.HANDLES):
        key = total.pid, total.subject.type
        is_unexplained = explained.get(key, 0.0) < SHARE * total.growth.per_s
        if not total.subject.site and total.subject.type in kinds and is_unexplained:
            yield _leak(evidence, total)


def _goes_with(total: Grown, place: Grown) -> bool:
    """Tell whether there are more of the kind, too: not only new ones in place of old ones."""
    return total.added >= SHARE * place.added


def _leak(evidence: Evidence, grown: Grown) -> HandleLeak:
    elements = Elements.SOCKETS if kind_of(grown) == "socket" else Elements.HANDLES
    owner = owner_of(evidence, grown, elements)
    group = evidence.ledger.handle_group(grown.pid, grown.subject_id)
    return HandleLeak(
        grown=grown,
        group=group,
        owner=owner,
        needed=evidence.normal.needed(
            Sort.of(grown.subject), group.median_age_s or 0.0, group.median_size_bytes
        ),
        is_lost=owner is None and _is_lost(evidence, grown),
    )


def owner_of(evidence: Evidence, grown: Grown, elements: Elements) -> Grown | None:
    """Return the collection that is filled with such things and keeps pace with them best, if any."""
    found = [
        one
        for one in evidence.growing(What.CONTAINER, What.HOLDER)
        if one.pid == grown.pid and one.subject.elements is elements and _keeps_pace(one, grown)
    ]
    return min(found, key=lambda one: (_is_pythons(one), _apart(one, grown), one.subject_id), default=None)


def _is_pythons(one: Grown) -> bool:
    """Tell whether it is a registry that Python keeps for itself: what the program has says more."""
    return one.subject.holder.startswith("threading.")


def _apart(other: Grown, grown: Grown) -> float:
    return abs(other.growth.per_s - grown.growth.per_s)


def _keeps_pace(other: Grown, grown: Grown) -> bool:
    low, high = OWNERS
    return low * grown.growth.per_s <= other.growth.per_s <= high * grown.growth.per_s


def _is_lost(evidence: Evidence, grown: Grown) -> bool:
    """Tell whether the heap was looked at often enough, and no type of object grew along with them."""
    objects = [
        one for one in evidence.of(What.MEMORY) if one.subject.type == OBJECTS and one.pid == grown.pid
    ]
    looks = max((one.growth.points for one in objects), default=0)
    heap = evidence.of(What.TYPE, What.CONTAINER, What.HOLDER, What.GARBAGE, What.UNHELD)
    return looks >= LOOKS and not any(one.pid == grown.pid and _may_own(one, grown, looks) for one in heap)


def _may_own(other: Grown, grown: Grown, looks: int) -> bool:
    """Tell whether there are enough new objects of a sort; one that only a later look has seen may be new."""
    if other.growth.points < looks and other.count >= OWNERS[0] * grown.added:
        return True
    return other.added > 0 and other.growth.per_s >= OWNERS[0] * grown.growth.per_s


def kind_of(grown: Grown) -> str:
    """Return "file" of "file .tmp"."""
    return grown.subject.type.partition(" ")[0]


def described(count: int, kind: str) -> str:
    """Return such as "475 files"."""
    return f"{count:,} {PLURALS.get(kind, 'descriptors')}" if count != 1 else f"1 {kind}"
