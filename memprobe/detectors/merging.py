"""Suspects of one cause put together: ten thousand sockets from one line are one leak.

Suspects belong together if they are the same thing (in several processes, or by several detectors), if they
rest on the same numbers, if they come from one line of the program (a client that opens two pipes and starts
a thread), or if one is held by what the other piles up: the cache that holds the sessions that hold the
sockets; or if they grow at one pace and are tied in another way (`pacing`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from memprobe.detectors.evidence import Grown, Suspect, worst_first
from memprobe.detectors.pacing import goes_with, names_last
from memprobe.vocab.finding import Kind
from memprobe.vocab.stack import is_library, own_frame, python_frames

_KEYS = re.compile(r"\[[^\[\]]*\]")
_STEPS = re.compile(r"(?=[.\[])")
MAX_STEPS = 64
"""A path is not followed deeper than this."""

SCARCEST_FIRST = (
    Kind.THREADS,
    Kind.SOCKETS,
    Kind.HANDLES,
    Kind.TIMERS,
    Kind.TASKS,
    Kind.LISTENERS,
    Kind.CYCLES,
    Kind.CACHES,
    Kind.NATIVE,
)
"""What names a leak of several kinds: what there are the fewest of, and what says most about the cause."""

COMPARED = 200
"""So many suspects, the surest, are compared pair by pair: 20,000 pairs, some 20 ms."""

NEARLY_AS_SURE = 0.3
"""A suspect may lead if it is not less sure than the surest by more than this."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Suspects of one cause."""

    lead: Suspect
    """The one that names it."""

    same: tuple[Suspect, ...]
    """The lead, and the same elsewhere: in other processes."""

    others: tuple[Suspect, ...]
    """What else comes of the same cause, worst first."""

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        """All of them, the lead first."""
        return *self.same, *self.others

    @property
    def piles(self) -> tuple[Grown, ...]:
        """What piles up, each once: what the numbers of the finding are the sums of."""
        found = {one.grown[0].key: one.grown[0] for one in self.same if one.grown}
        return tuple(found.values())

    @property
    def grown(self) -> tuple[Grown, ...]:
        """Everything it rests on, each once."""
        return tuple({grown.key: grown for one in self.suspects for grown in one.grown}.values())


def identity(suspect: Suspect) -> str:
    """Return what makes it the same suspect in another process or run: no number, no key, no address."""
    held = keyless(suspect.holder) if suspect.holder else _function(suspect)
    return "\n".join((suspect.kind, suspect.type, held))


def keyless(path: str) -> str:
    """Return the path of a holder with its keys and indices taken out."""
    return _KEYS.sub("[…]", path)


def merge(suspects: Iterable[Suspect]) -> list[Leak]:
    """Put suspects of one cause together; the order of what comes does not matter."""
    ordered = worst_first(suspects)
    groups = _Groups(len(ordered))
    for one, other in _links(ordered):
        groups.join(one, other)
    return [_leak([ordered[place] for place in places]) for places in groups]


def _links(suspects: Sequence[Suspect]) -> Iterator[tuple[int, int]]:
    """Yield pairs of suspects with one cause; of a group that is all alike only neighbours."""
    first: dict[object, int] = {}
    for place, suspect in enumerate(suspects):
        for mark in _marks(suspect):
            yield first.setdefault(mark, place), place
    by_holder: dict[str, list[int]] = {}
    for place, suspect in enumerate(suspects):
        if suspect.holder:
            by_holder.setdefault(keyless(suspect.holder), []).append(place)
    for place, suspect in enumerate(suspects):
        for path in _above(suspect):
            yield from (
                (over, place) for over in by_holder.get(path, ()) if _carries(suspects[over], suspect)
            )
    yield from _paced(suspects)


def _paced(suspects: Sequence[Suspect]) -> Iterator[tuple[int, int]]:
    worst = range(min(len(suspects), COMPARED))
    return (pair for pair in combinations(worst, 2) if goes_with(*(suspects[place] for place in pair)))


def _marks(suspect: Suspect) -> Iterator[object]:
    """Yield what only suspects of one cause have in common."""
    yield identity(suspect)
    yield from (grown.key for grown in suspect.grown)
    frame = own_frame(suspect.site)
    if frame is not None and suspect.grown and not is_library(frame):
        yield suspect.grown[0].pid, frame


def _above(suspect: Suspect) -> set[str]:
    """Return the paths of everything that holds what holds it."""
    chain = {keyless(path) for grown in suspect.grown[:1] for path in grown.subject.chain}
    steps = _STEPS.split(keyless(suspect.holder))[:MAX_STEPS]
    inside = {"".join(steps[:length]) for length in range(1, len(steps))}
    return (chain | inside) - {keyless(suspect.holder)}


def _carries(outer: Suspect, inner: Suspect) -> bool:
    """Tell whether the inner one grows because the outer does: then both grow in the same proportion."""
    if not outer.grown or not inner.grown:
        return False
    one, other = outer.grown[0], inner.grown[0]
    return one.pid == other.pid and 2 * one.added * other.count >= other.added * one.count


def _leak(suspects: list[Suspect]) -> Leak:
    """Return the leak of suspects that are in order, worst first."""
    enough = suspects[0].confidence - NEARLY_AS_SURE
    lead = min((one for one in suspects if one.confidence >= enough), key=_precedence)
    name = identity(lead)
    same = [one for one in suspects if identity(one) == name and one is not lead]
    others = [one for one in suspects if identity(one) != name]
    return Leak(lead, (lead, *same), tuple(others))


def _precedence(suspect: Suspect) -> tuple[tuple[bool, ...], int, int, float]:
    """What may be the cause first, then the scarcest kind, then what holds the rest, then the surest."""
    depth = len(_STEPS.split(suspect.holder)) if suspect.holder else MAX_STEPS
    return names_last(suspect), SCARCEST_FIRST.index(suspect.kind), depth, -suspect.confidence


def _function(suspect: Suspect) -> str:
    """Return the function of the birth site without its line: lines move from release to release."""
    frame = next(iter(python_frames(suspect.site)), None)
    return f"{frame.file}:{frame.function}" if frame is not None else ""


class _Groups:
    """Numbers that have been joined (union-find)."""

    def __init__(self, size: int) -> None:
        self._parents = list(range(size))

    def join(self, one: int, other: int) -> None:
        """Put the groups of two numbers together."""
        low, high = sorted((self._root(one), self._root(other)))
        self._parents[high] = low

    def __iter__(self) -> Iterator[list[int]]:
        groups: dict[int, list[int]] = {}
        for number in range(len(self._parents)):
            groups.setdefault(self._root(number), []).append(number)
        return iter(groups.values())

    def _root(self, number: int) -> int:
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number
