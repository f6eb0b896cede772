"""Memory that no Python object explains, and objects that only native code keeps alive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from memprobe.detectors.confidence import Sign, confidence
from memprobe.detectors.evidence import Evidence, Grown, Suspect
from memprobe.detectors.fixes import Cause
from memprobe.detectors.sites import more_of, where
from memprobe.vocab.finding import Kind
from memprobe.vocab.stack import Frame, own_frame
from memprobe.vocab.subject import What

ANONYMOUS, ARENA_FREE = "anonymous", "free in arenas"
OBJECTS, BLOCKS = "objects", "blocks without an object"
"""Types of MEMORY: the first two by samples (ledger/derived.py), the others by looks at the heap."""

SHARE = 0.5
"""What makes at least half of the growth is what grows."""

LEAST_BYTES = 3 << 20
"""Less is what buffers and caches of libraries take as they warm up: 1.2 MB was seen of one buffer."""

LOOKS = 2
MIB = 1 << 20


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
    blocks: float
    """Of the arenas: what is live and no object."""

    @property
    def unexplained(self) -> float:
        """What is neither an object nor free space in Python's arenas."""
        return self.anonymous - max(0.0, self.objects) - max(0.0, self.arena_free)

    @property
    def is_native(self) -> bool:
        """Whether that is most of the growth, or as much as grows of late."""
        return self.unexplained >= SHARE * min(self.anonymous, self.grown.growth.per_s) > 0

    @property
    def is_in_arenas(self) -> bool:
        """Whether it was taken from Python's own allocator."""
        return self.blocks >= SHARE * self.unexplained


class Native:
    """What C code has taken and not given back."""

    kind = Kind.NATIVE

    def suspects(self, evidence: Evidence) -> Iterator[Suspect]:
        """Yield one for each type that is held by nobody, and one for memory without objects."""
        for grown in evidence.growing(What.UNHELD):
            yield _unheld(evidence, grown)
        for rates in _rates(evidence):
            if rates.is_native:
                yield _memory(evidence, rates)


def _rates(evidence: Evidence) -> Iterator[Rates]:
    """The growth of each process whose heap was looked at: without a look nobody knows what it is."""
    found: dict[int, dict[str, Grown]] = {}
    for one in evidence.of(What.MEMORY):
        found.setdefault(one.pid, {})[one.subject.type] = one
    for parts in found.values():
        anonymous, objects = parts.get(ANONYMOUS), parts.get(OBJECTS)
        if anonymous and objects and objects.growth.points >= LOOKS and anonymous.growth.probability > 0:
            yield Rates(
                anonymous, *map(_average, (anonymous, objects, parts.get(ARENA_FREE), parts.get(BLOCKS)))
            )


def _average(grown: Grown | None) -> float:
    """Return how fast it has grown since it was first counted."""
    return grown.added / grown.growth.duration_s if grown and grown.growth.duration_s > 0 else 0.0


def _memory(evidence: Evidence, rates: Rates) -> Suspect:
    grown, site = rates.grown, _grows_at(evidence, rates.grown.pid)
    signs = [Sign.CORROBORATED] if rates.is_in_arenas else []
    if rates.unexplained * grown.growth.duration_s < LEAST_BYTES:
        signs.append(Sign.SMALL)
    return Suspect(
        kind=Kind.NATIVE,
        grown=(grown,),
        confidence=confidence(grown.growth.probability, *signs),
        title=f"Memory that no Python object explains{where('taken', site)} grows by "
        f"{_kib(rates.unexplained)} kB every second",
        type="memory of C code",
        holder="",
        site=site,
        evidence=tuple(_account(rates)),
        fix=Cause.NATIVE_MEMORY,
        limits=("Which C function took it is not known: the line is the one that called it.",),
    )


def _account(rates: Rates) -> Iterator[str]:
    yield (
        f"Anonymous memory grew by {_kib(rates.anonymous)} kB a second, Python objects by "
        f"{_kib(rates.objects)}, free space in Python's arenas by {_kib(rates.arena_free)}."
    )
    if rates.is_in_arenas:
        yield (
            f"{_kib(rates.blocks)} kB a second of it are blocks of Python's allocator that hold no object: "
            "buffers of C code."
        )


def _kib(size_bytes: float) -> str:
    return f"{size_bytes / 1024:,.0f}"


def _unheld(evidence: Evidence, grown: Grown) -> Suspect:
    subject = grown.subject
    site = subject.site or _grows_at(evidence, grown.pid)
    resident = [one for one in evidence.growing(What.MEMORY) if one.pid == grown.pid]
    grows = any(one.subject.type == ANONYMOUS for one in resident)
    return Suspect(
        kind=Kind.NATIVE,
        grown=(grown,),
        confidence=confidence(
            grown.growth.probability, Sign.UNREACHABLE, *([Sign.CORROBORATED] if grows else [])
        ),
        title=f"{grown.count:,} {subject.type} are kept alive by references that nothing in Python has"
        f"{where('made', site)}, {more_of(grown)}",
        type=subject.type,
        holder="",
        site=site,
        evidence=(*subject.notes, "Their reference counts are higher than the number of references found."),
        fix=Cause.REFERENCES_LOST,
        limits=() if subject.site else ("The line is the one below which memory grows most.",),
    )


def _grows_at(evidence: Evidence, pid: int) -> tuple[Frame, ...]:
    """Return the stack below which most memory was touched for the first time, of the line with most."""
    by_line: dict[Frame, list[tuple[Frame, ...]]] = {}
    sums: dict[Frame, int] = {}
    for one in evidence.ledger.growth_sites(pid):  # most first
        frame = own_frame(one.site)
        if one.how == "fault" and one.bytes > 0 and frame is not None:
            by_line.setdefault(frame, []).append(one.site)
            sums[frame] = sums.get(frame, 0) + one.bytes
    return by_line[max(sums, key=sums.__getitem__)][0] if sums else ()
