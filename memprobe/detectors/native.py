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

ANONYMOUS, ARENA_FREE, STACKS = "anonymous", "free in arenas", "stacks"
OBJECTS, BLOCKS = "objects", "blocks without an object"
"""Types of MEMORY: the first three by samples (ledger/derived.py), the others by looks at the heap."""

NATIVE = "<native code>"
"""The holder of what only C code refers to, as the heap calls it."""

SHARE = 0.5
"""What makes at least half of the growth is what grows."""

LEAST_BYTES = 3 << 20
"""Less is what buffers and caches of libraries take as they warm up: 1.2 MB was seen of one buffer."""

OWNERS = tuple(set(What) - {What.MEMORY})
OWNING = 0.3
"""Growth of anything else that is so sure may be what owns the memory: files have buffers, threads heaps."""

PART = 0.25
"""What makes so much of the growth, with all that it alone keeps alive, has its share in it."""

FEW = 16
"""Fewer objects come and go between two looks."""

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


class Native:
    """What C code has taken and not given back."""

    kind = Kind.NATIVE

    def suspects(self, evidence: Evidence) -> Iterator[Suspect]:
        """Yield one for each type that is held by nobody, and one for memory without objects."""
        for grown in evidence.of(What.UNHELD):
            memory = _memory_of(evidence, grown)
            if grown.added >= FEW and (memory or grown.growth.probability > 0):
                yield _unheld(evidence, grown, memory)
        for rates in _rates(evidence):
            site = _grows_at(evidence, rates.grown.pid)
            if rates.is_native and not _has_owner(evidence, rates.grown.pid, site):
                yield _memory(rates, site)


def _rates(evidence: Evidence) -> Iterator[Rates]:
    """The growth of each process whose heap was looked at: without a look nobody knows what it is."""
    found: dict[int, dict[str, Grown]] = {}
    for one in evidence.of(What.MEMORY):
        found.setdefault(one.pid, {})[one.subject.type] = one
    for parts in found.values():
        anonymous, objects = parts.get(ANONYMOUS), parts.get(OBJECTS)
        if anonymous and objects and objects.growth.points >= LOOKS and anonymous.growth.probability > 0:
            others = (parts.get(name) for name in (ARENA_FREE, STACKS, BLOCKS))
            yield Rates(anonymous, *map(_average, (anonymous, objects, *others)))


def _average(grown: Grown | None) -> float:
    """Return how fast it has grown since it was first counted."""
    return grown.added / grown.growth.duration_s if grown and grown.growth.duration_s > 0 else 0.0


def _has_owner(evidence: Evidence, pid: int, site: tuple[Frame, ...]) -> bool:
    """Tell whether something else grows that may own it: made in the same function, or nobody knows where."""
    growing = [
        one for one in evidence.growing(*OWNERS) if one.pid == pid and one.growth.probability >= OWNING
    ]
    is_placed = any(one.subject.what == What.HANDLES and one.subject.site for one in growing)
    for one in growing:
        if one.subject.what != What.HANDLES or one.subject.site or not is_placed:
            frame, other = own_frame(site), own_frame(one.subject.site)
            if frame is None or other is None or (frame.file, frame.function) == (other.file, other.function):
                return True
    return False


def _memory(rates: Rates, site: tuple[Frame, ...]) -> Suspect:
    grown = rates.grown
    signs = [Sign.CORROBORATED] if rates.is_in_arenas else []
    if rates.unexplained * grown.growth.duration_s < LEAST_BYTES:
        signs.append(Sign.SMALL)
    return Suspect(
        kind=Kind.NATIVE,
        grown=(grown,),
        confidence=confidence(grown.growth.probability, *signs),
        title=f"Memory that no Python object explains grows by {_kib(rates.unexplained)} kB every second"
        f"{where('taken', site)}",
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


def _unheld(evidence: Evidence, grown: Grown, memory: Grown | None) -> Suspect:
    subject = grown.subject
    site = subject.site or _grows_at(evidence, grown.pid)
    signs = [Sign.UNREACHABLE] if memory is None else [Sign.UNREACHABLE, Sign.CORROBORATED]
    probability = max(one.growth.probability for one in (grown, memory) if one)
    return Suspect(
        kind=Kind.NATIVE,
        grown=(grown,),
        confidence=confidence(probability, *signs),
        title=f"{grown.count:,} {subject.type} are kept alive by references that nothing in Python has, "
        f"{more_of(grown)}{where('made', site)}",
        type=subject.type,
        holder=subject.holder or NATIVE,
        site=site,
        evidence=(
            *subject.notes,
            "Their reference counts are higher than the number of references found.",
            *([f"The memory of the process goes with them: {memory.growth.sentence}."] if memory else []),
        ),
        fix=Cause.REFERENCES_LOST,
        limits=() if subject.site else ("The line is the one below which memory grows most.",),
    )


def _memory_of(evidence: Evidence, grown: Grown) -> Grown | None:
    """Return the memory of a process if it grows because these objects do: it is read more often."""
    for rates in _rates(evidence):
        explained = (grown.bytes_per_s or 0.0) >= PART * rates.anonymous > 0
        if rates.grown.pid == grown.pid and explained and rates.objects >= SHARE * rates.anonymous:
            return rates.grown
    return None


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
