"""What detectors see and what they say: the nouns between the ledger and the findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from memprobe.config import Thresholds
from memprobe.detectors.fixes import Cause
from memprobe.ledger import Ledger
from memprobe.ledger.memory_account import MemoryAccount
from memprobe.models.growth import Growth
from memprobe.models.learning.normal import Normal
from memprobe.vocab.finding import Kind
from memprobe.vocab.stack import Frame
from memprobe.vocab.subject import Seen, Subject, What

Resource = Literal["memory", "descriptors", "threads"]
"""What a leak uses up."""


@dataclass(frozen=True, slots=True)
class Grown:
    """One subject of one process with its course so far; also one that does not grow."""

    pid: int
    subject_id: int
    subject: Subject
    count: int
    """Alive now; of MEMORY, bytes."""

    added: int
    """Since it was first counted; negative if there are fewer."""

    bytes: int | None
    """What they take now."""

    bytes_per_s: float | None
    oldest_s: float | None
    """Age of the oldest."""

    growth: Growth
    seen: Seen = Seen.EXACTLY

    @property
    def key(self) -> tuple[int, int]:
        """What tells it from every other: process and subject."""
        return self.pid, self.subject_id


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known at one instant."""

    ledger: Ledger
    pid: int | None
    """The process in question; None for all that are followed."""

    begin_ns: int
    now_ns: int
    grown: tuple[Grown, ...]
    """Every subject with a course, flat ones too, in the order of process and number."""

    memory: MemoryAccount | None
    """Where the memory of the target is; None before it was first sampled."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    normal: Normal = field(default_factory=Normal)
    """What earlier runs and this one have shown to be normal for the program."""

    @property
    def duration_s(self) -> float:
        """How long has been observed."""
        return (self.now_ns - self.begin_ns) / 1e9

    def of(self, *whats: What) -> Iterator[Grown]:
        """The subjects of these sorts."""
        return (grown for grown in self.grown if grown.subject.what in whats)

    def growing(self, *whats: What) -> Iterator[Grown]:
        """Those of these sorts that may be worth a suspect: more than at first, and perhaps for good."""
        lowest = self.thresholds.shown / 4
        return (one for one in self.of(*whats) if one.added > 0 and one.growth.probability >= lowest)


@dataclass(frozen=True, slots=True)
class Suspect:
    """What one detector holds for a leak: not merged, ranked or worded for the report yet."""

    kind: Kind
    grown: tuple[Grown, ...]
    """What it rests on: first what piles up (its numbers are those of the finding), then what goes with it.

    Suspects that have one of these in common are of one cause; so nothing of the whole process belongs here.
    """

    confidence: float
    """See `confidence.confidence`."""

    title: str
    """One sentence a person can act on."""

    type: str
    holder: str
    """As a path a person can type; "" if nobody holds them, or nobody knows who."""

    site: tuple[Frame, ...]
    evidence: tuple[str, ...]
    """Sentences; that on the growth itself is put before them."""

    fix: Cause
    limits: tuple[str, ...] = ()
    """What is not known."""

    resource: Resource = "memory"
    age_s: tuple[float, float] | None = None
    """Median and maximum; None: the oldest of `grown[0]` is all that is known."""


class Detector(Protocol):
    """One kind of leak: a pure function of the evidence."""

    @property
    def kind(self) -> Kind:
        """The kind that it finds."""
        ...

    def suspects(self, evidence: Evidence) -> Iterator[Suspect]:
        """Yield what may leak, in any order; the same cause may come more than once."""
        ...


def worst_first(suspects: Iterable[Suspect]) -> list[Suspect]:
    """Order suspects by confidence, then by what they rest on: the same evidence, the same order."""
    return sorted(suspects, key=lambda one: (-one.confidence, one.kind, one.holder, one.type, one.title))
