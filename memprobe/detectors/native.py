"""Memory that no Python object explains, and objects that only native code keeps alive."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from memprobe.detectors.confidence import Sign, sure_of
from memprobe.detectors.evidence import Evidence, Grown, Suspect
from memprobe.detectors.fixes import Cause
from memprobe.detectors.memory_rates import (
    MAPPINGS,
    SHARE,
    Rates,
    average,
    memory_of,
    memory_rates,
    surest,
)
from memprobe.detectors.pacing import in_step
from memprobe.detectors.sites import more_of, where
from memprobe.vocab.finding import Kind
from memprobe.vocab.stack import Frame, is_native, own_frame
from memprobe.vocab.subject import ALL_COUNTED, What

NATIVE = "<native code>"
"""The holder of what only C code refers to, as the heap calls it."""

OWNERS = tuple(set(What) - {What.MEMORY, What.TIMERS, What.QUEUE})
"""What may own memory. What waits to be called is told by its types, too."""

OWNING = 0.3
"""Growth of anything else that is so sure may be what owns the memory: files have buffers, threads heaps."""

NO_FUNCTION = "Which C function took it is not known: the line is the one that called it."

GROWTH_SITE = "The line is the one below which memory grows most."

TOUCHED = ("fault", "py-spy")
"""Growth that is of memory in use, not of what is mapped."""

FEW = 16
"""Fewer objects come and go between two looks."""

NOT_READ_YET = 1 / 4
"""So many of the objects that a type has more of may have come while a look went on: who holds them was read
before they came."""


class Native:
    """What C code has taken and not given back."""

    kind = Kind.NATIVE

    def suspects(self, evidence: Evidence) -> Iterator[Suspect]:
        """Yield one for each type that is held by nobody, and one for memory without objects."""
        for grown in evidence.of(What.UNHELD):
            memory = memory_of(evidence, grown)
            is_much = grown.added >= max(FEW, _in_looks(evidence, grown))
            if is_much and (memory or grown.growth.probability > 0):
                yield _unheld(evidence, grown, memory)
        for rates in memory_rates(evidence):
            site = taken_at(evidence, rates)
            if rates.is_native and not _has_owner(evidence, rates.grown.pid, site):
                yield _memory(rates, site)


def _in_looks(evidence: Evidence, grown: Grown) -> float:
    """Return how many objects of its type may seem to be held by nobody only because they are new."""
    alike = (one for one in evidence.of(What.TYPE) if one.subject.type == grown.subject.type)
    return NOT_READ_YET * max((one.added for one in alike if one.pid == grown.pid), default=0)


def _has_owner(evidence: Evidence, pid: int, site: tuple[Frame, ...]) -> bool:
    """Tell whether something else grows that may own it: made in the same function, or nobody knows where."""
    counted = _all_counted(evidence, pid)
    growing = [
        one
        for one in evidence.growing(*OWNERS)
        if one.pid == pid and one.growth.probability >= OWNING and one.subject.type not in counted
    ]
    is_placed = any(one.subject.what == What.HANDLES and one.subject.site for one in growing)
    placed = [one for one in growing if own_frame(one.subject.site) is not None]
    for one in growing:
        if one.subject.what != What.HANDLES or one.subject.site or not is_placed:
            frame, other = own_frame(site), own_frame(one.subject.site)
            if other is None and frame is not None and _comes_with(one, placed):
                continue
            if frame is None or other is None or (frame.file, frame.function) == (other.file, other.function):
                return True
    return False


def _comes_with(one: Grown, placed: Sequence[Grown]) -> bool:
    """Tell whether it is of Python's own library, and at one pace with what is made at a line that is known.

    The writer of a file that leaks, the locks of a thread: they are made where that is.
    """
    is_own = one.subject.type.partition(".")[0] in sys.stdlib_module_names
    return (is_own or one.subject.what == What.THREADS) and any(in_step(one, other) for other in placed)


def _all_counted(evidence: Evidence, pid: int) -> set[str]:
    """Return the types that own no memory of C code: all that they take is among the objects already.

    What their objects hold may be of another type that does; then that one grows, too.
    """
    types = (one.subject for one in evidence.of(What.TYPE) if one.pid == pid)
    return {one.type for one in types if ALL_COUNTED in one.notes}


def _memory(rates: Rates, site: tuple[Frame, ...]) -> Suspect:
    grown = rates.grown
    signs = [Sign.CORROBORATED] if rates.is_in_arenas else []
    return Suspect(
        kind=Kind.NATIVE,
        grown=(grown,),
        confidence=sure_of(grown.growth, *signs),
        title=f"Memory that no Python object explains grows by {_kib(rates.unexplained)} kB every second"
        f"{where('taken', site)}",
        type="memory of C code",
        holder="",
        site=site,
        evidence=tuple(_account(rates)),
        fix=Cause.NATIVE_MEMORY,
        limits=() if any(map(is_native, site)) else (NO_FUNCTION,),
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
    site = subject.site or grows_at(evidence, grown.pid)
    signs = [Sign.UNREACHABLE] if memory is None else [Sign.UNREACHABLE, Sign.CORROBORATED]
    return Suspect(
        kind=Kind.NATIVE,
        grown=(grown,),
        confidence=sure_of(surest(grown, memory), *signs),
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
        limits=() if subject.site else (GROWTH_SITE,),
    )


def taken_at(evidence: Evidence, rates: Rates) -> tuple[Frame, ...]:
    """Return the stack below which most memory of C code was taken.

    Who maps memory is seen as it is; what is touched may be memory of objects as well. But a mapping may be
    room for later: it tells only if about as much of all mappings was touched.
    """
    pid = rates.grown.pid
    mapped = next(
        (one for one in evidence.of(What.MEMORY) if one.pid == pid and one.subject.type == MAPPINGS), None
    )
    if mapped is not None and average(mapped) >= SHARE * rates.unexplained:
        site, size_bytes = _largest(evidence, pid, ("mmap",))
        if SHARE * mapped.added <= size_bytes <= mapped.added / SHARE:
            return site
    return grows_at(evidence, pid)


def grows_at(evidence: Evidence, pid: int) -> tuple[Frame, ...]:
    """Return the stack below which most memory was touched for the first time, of the line with most.

    What was touched without any Python code has no line.
    """
    return _largest(evidence, pid, TOUCHED)[0]


def _largest(evidence: Evidence, pid: int, hows: Sequence[str]) -> tuple[tuple[Frame, ...], int]:
    """Return the stack of the line below which memory grew most in these ways, and by how much it did."""
    by_line: dict[Frame, list[tuple[Frame, ...]]] = {}
    sums: dict[Frame, int] = {}
    for one in evidence.ledger.growth_sites(pid):  # most first
        frame = own_frame(one.site)
        if one.how in hows and one.bytes > 0 and frame is not None and frame.file:
            by_line.setdefault(frame, []).append(one.site)
            sums[frame] = sums.get(frame, 0) + one.bytes
    if not sums:
        return (), 0
    line = max(sums, key=sums.__getitem__)
    return by_line[line][0], sums[line]
