"""What the growth of memory is made of: objects, free space, stacks, and what nobody can explain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from memprobe.detectors.evidence import Evidence, Grown
from memprobe.models.growth import Growth
from memprobe.vocab.subject import What

ANONYMOUS, ARENA_FREE, STACKS, MAPPINGS = "anonymous", "free in arenas", "stacks", "mappings"
OBJECTS, BLOCKS = "objects", "blocks without an object"
"""Types of MEMORY: the first four by samples (ledger/derived.py), the others by looks at the heap."""

SHARE = 0.5
"""What makes at least half of the growth is what grows."""

PART = 0.25
"""What makes so much of the growth, with all that it alone keeps alive, has its share in it."""

LOOKS = 2


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast the memory of one process has grown on average, in bytes per second, by what it is.

    Averages, because looks at the heap are rarer than samples, and what was loaded once is in both.
    """

    grown: Grown
    """All anonymous memory."""

    anonymous: float
    objects: float
    arena_free: float
    stacks: float
    blocks: float
    """Of the arenas: what is live and no object."""

    @property
    def unexplained(self) -> float:
        """What is neither an object, nor free space in Python's arenas, nor a stack."""
        return self.anonymous - sum(max(0.0, part) for part in (self.objects, self.arena_free, self.stacks))

    @property
    def is_native(self) -> bool:
        """Whether that is most of the growth, or as much as grows of late."""
        return self.unexplained >= SHARE * min(self.anonymous, self.grown.growth.per_s) > 0

    @property
    def is_in_arenas(self) -> bool:
        """Whether it was taken from Python's own allocator."""
        return self.blocks >= SHARE * self.unexplained


def memory_rates(evidence: Evidence) -> Iterator[Rates]:
    """The growth of each process whose heap was looked at: without a look nobody knows what it is."""
    found: dict[int, dict[str, Grown]] = {}
    for one in evidence.of(What.MEMORY):
        found.setdefault(one.pid, {})[one.subject.type] = one
    for parts in found.values():
        anonymous, objects = parts.get(ANONYMOUS), parts.get(OBJECTS)
        if anonymous and objects and objects.growth.points >= LOOKS and anonymous.growth.probability > 0:
            others = (parts.get(name) for name in (ARENA_FREE, STACKS, BLOCKS))
            yield Rates(anonymous, *map(average, (anonymous, objects, *others)))


def average(grown: Grown | None) -> float:
    """Return how fast it has grown since it was first counted."""
    return grown.added / grown.growth.duration_s if grown and grown.growth.duration_s > 0 else 0.0


def memory_of(evidence: Evidence, *grown: Grown, part: float = PART) -> Grown | None:
    """Return the memory of a process if it grows because these objects do: it is read more often."""
    for rates in memory_rates(evidence):
        explained = sum(one.bytes_per_s or 0.0 for one in grown) >= part * rates.anonymous
        if rates.grown.pid == grown[0].pid and explained and rates.objects >= SHARE * rates.anonymous > 0:
            return rates.grown
    return None


def surest(grown: Grown, memory: Grown | None) -> Growth:
    """Return the course that says more: that of the objects, or of the memory which they take."""
    courses = (one.growth for one in (grown, memory) if one is not None)
    return max(courses, key=lambda growth: growth.probability)
