"""Which part of a process's memory is whose: what is resident, mapping by mapping."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest

from memprobe.errors import NotPermitted
from memprobe.target.proc.mappings import Mapping, parse_mappings
from memprobe.target.proc.memory_split import PRIVATE
from memprobe.target.proc.process import Process
from memprobe.vocab.kinds import RegionKind

SMAPS_LIMIT = 4 << 20
"""About 5,000 mappings, 0.1 s (22 us each). One with more is summed up by the kernel, not told apart."""

MALLOC_HEAP_BYTES = 64 << 20
"""HEAP_MAX_SIZE of glibc on 64 bits: each heap of a thread's arena begins at a multiple of it."""

GUARD_BYTES = 64 << 10
"""Below the stack of a thread is a guard that nobody may touch: one page in glibc, two in musl."""

_SHARED = ("/dev/zero", "/memfd:", "/SYSV", "/dev/shm/")

_INTERESTING = re.compile(
    rb"^(?:([0-9a-f]+-[0-9a-f]+ [^\n]*)|(Rss|Pss|Swap|Private_[A-Z][a-z]+): +(\d+) kB)$", re.MULTILINE
)


@dataclass(slots=True)
class Resident:
    """One mapping and what of it is in memory."""

    mapping: Mapping
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes by the names of smaps."""

    @property
    def used_bytes(self) -> int:
        """What has been touched: resident, or swapped out."""
        return self.sizes.get("Rss", 0) + self.sizes.get("Swap", 0)


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """The memory of a process; all bytes are resident or in swap."""

    mappings: tuple[Mapping, ...]

    residents: tuple[Resident, ...]
    """The same, with what of each is in memory."""

    pss_bytes: int
    """Shared pages divided by those who share them."""

    uss_bytes: int
    """What would be free if the process ended."""

    heap_bytes: int
    """The C heaps of glibc: [heap], and those of threads."""

    other_bytes: int
    """The other anonymous mappings: arenas of Python among them, and large blocks of malloc."""

    stack_bytes: int
    """The stacks of threads; those of glibc 2.42 on have no guard of their own and are in `other_bytes`."""


def read_memory_map(process: Process) -> MemoryMap | None:
    """Read smaps; None without the right to it, or if it is too long."""
    try:
        raw = process.folder.read("smaps", SMAPS_LIMIT)
    except (NotPermitted, FileNotFoundError):
        return None
    if not raw:
        process.check()
    return None if len(raw) >= SMAPS_LIMIT else memory_map(parse_smaps(raw))


def parse_smaps(raw: bytes) -> list[Resident]:
    """Parse the text of smaps; what is cut off or strange is left out."""
    found: list[Resident] = []
    for match in _INTERESTING.finditer(raw):
        head, name, size = match.groups()
        if head is not None:
            found += map(Resident, parse_mappings(head))
        elif found:
            found[-1].sizes[name.decode()] = int(size) * 1024
    return found


def memory_map(mappings: Sequence[Resident]) -> MemoryMap:
    """Add up."""
    heaps = {id(one) for one in _heaps(mappings)}
    told = heaps | {id(one) for one in _stacks(mappings)}
    return MemoryMap(
        mappings=tuple(one.mapping for one in mappings),
        residents=tuple(mappings),
        pss_bytes=sum(one.sizes.get("Pss", 0) for one in mappings),
        uss_bytes=sum(one.sizes.get(name, 0) for one in mappings for name in PRIVATE),
        heap_bytes=sum(one.used_bytes for one in mappings if id(one) in heaps),
        other_bytes=sum(one.used_bytes for one in mappings if id(one) not in told and _is_anonymous(one)),
        stack_bytes=sum(one.used_bytes for one in _stacks(mappings)),
    )


def kinds(mappings: Sequence[Resident], arenas: Sequence[int], arena_bytes: int = 0) -> Iterator[RegionKind]:
    """Yield what each mapping is mostly for: the kernel makes one of neighbours.

    `arenas` are the addresses of Python's arenas, in order.
    """
    heaps = {id(one) for one in _heaps(mappings)}
    stacks = {id(one) for one in _stacks(mappings)}
    for one in mappings:
        place = one.mapping
        inside = bisect_left(arenas, place.end) - bisect_left(arenas, place.start)
        if inside and 2 * inside * arena_bytes >= place.end - place.start:
            yield RegionKind.PYTHON
        elif id(one) in heaps:
            yield RegionKind.HEAP
        elif id(one) in stacks:
            yield RegionKind.STACK
        elif _is_anonymous(one):
            yield RegionKind.ANONYMOUS
        else:
            yield RegionKind.FILE if place.inode else RegionKind.OTHER


def _heaps(mappings: Sequence[Resident]) -> Iterator[Resident]:
    """Main heap, and heaps of threads: from a multiple of 64 MiB on, what malloc has not used yet follows."""
    for one, after in zip_longest(mappings, mappings[1:]):
        if one.mapping.path == "[heap]" or (_is_anonymous(one) and _is_thread_heap(one, after)):
            yield one


def _is_thread_heap(one: Resident, after: Resident | None) -> bool:
    place = one.mapping
    if place.start % MALLOC_HEAP_BYTES or not place.is_writable or after is None:
        return False
    rest = after.mapping
    is_rest = rest.start == place.end and rest.permissions == "---p" and not rest.path
    return is_rest and rest.end == place.start + MALLOC_HEAP_BYTES


def _stacks(mappings: Sequence[Resident]) -> Iterator[Resident]:
    """That of the main thread, and what a guard stands below: malloc's heaps have theirs above."""
    yield from (one for one in mappings if one.mapping.path == "[stack]")
    for below, one in pairwise(mappings):
        guard, place = below.mapping, one.mapping
        is_guard = guard.permissions == "---p" and not guard.path and guard.end - guard.start <= GUARD_BYTES
        is_next = guard.end == place.start and place.start % MALLOC_HEAP_BYTES
        if is_guard and is_next and place.is_writable and _is_anonymous(one):
            yield one


def _is_anonymous(one: Resident) -> bool:
    """Whether no file of a disk is behind it; memory that is shared has a name, and prctl may give one."""
    path = one.mapping.path
    return path.startswith(_SHARED) or (not one.mapping.inode and (not path or path.startswith("[anon:")))
