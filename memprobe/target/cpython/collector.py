"""The cyclic collector: its settings, its counters, and how many objects it watches.

    3.8            one collector, in _PyRuntime
    3.9 - 3.15     one in each interpreter
    3.14.0 - .4    incremental, without generations as others have them: refused before we get here

The lists change while they are walked, and during a collection they are taken apart. A walk that
does not come back to its head is repeated; after a few attempts the number is unknown.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.interpreters import Interpreter
from memprobe.target.cpython.objects import UNREADABLE, BadObject, Objects, is_pointer
from memprobe.vocab import Memory

GENERATIONS = 3

MAXIMUM_OBJECTS = 300_000
"""Objects of one generation that are counted: more would take longer than a tenth of a second."""

_ATTEMPTS = 3
_PAGES_KEPT = 4096
_PAUSE_SECONDS = 0.002
_PAGE = 4096
# Exactly these: in 3.13.15 the heads of the lists are aligned to 4 bytes only.
_NEXT_FLAGS = 1
_PREVIOUS_FLAGS = 3
_MOVED_AT_MOST = 16
_LINKS_CHECKED = 32
_CHECK_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Collector:
    """The state of the collector of one interpreter."""

    enabled: bool
    """gc.isenabled()"""

    collecting: bool
    """Whether a collection was running just then."""

    thresholds: tuple[int, ...]
    """gc.get_threshold()"""

    counts: tuple[int, ...]
    """gc.get_count()"""

    collections: tuple[int, ...]
    """Collections so far of each generation, as gc.get_stats() has them."""

    collected: tuple[int, ...]
    """Objects freed so far by collections of each generation."""

    uncollectable: tuple[int, ...]
    """Objects found so far that could not be freed."""

    objects: tuple[int | None, ...]
    """Objects in each generation; None if there are too many, or the list would not hold still."""

    frozen_objects: int | None
    """Objects that gc.freeze() took out of the generations."""


class Collectors:
    """Reads the collectors of one runtime."""

    def __init__(self, objects: Objects, runtime: int) -> None:
        layout = objects.layout
        self._memory = objects.memory
        # 3.8 has one collector for all interpreters.
        shared = layout.has("_PyRuntimeState.gc")
        self._shared = runtime + layout.offset("_PyRuntimeState.gc") if shared else 0
        self._offset = 0 if shared else layout.offset("PyInterpreterState.gc")
        self._state = Fields(layout, "_gc_runtime_state", "enabled:signed", "collecting:signed")
        self._generations = layout.offset("_gc_runtime_state.generations")
        self._generation0 = layout.offset("_gc_runtime_state.generation0")
        self._permanent = layout.offset("_gc_runtime_state.permanent_generation")
        self._generation_size = layout.size("gc_generation")
        self._generation = Fields(layout, "gc_generation", "threshold:signed", "count:signed")
        self._stats = Fields(
            layout, "gc_generation_stats", "collections:signed", "collected:signed", "uncollectable:signed"
        )
        self._stats_offset = layout.offset("_gc_runtime_state.generation_stats")
        self._stats_size = layout.size("gc_generation_stats")
        # From 3.15 on a pointer to ring buffers, of which the newest entry counts.
        self._rings = _rings(objects) if layout.has("gc_stats") else []

    def read(self, interpreter: Interpreter, *, count_objects: bool = True) -> Collector | None:
        """Read an interpreter's collector; None if it cannot be read."""
        state = self._address(interpreter)
        try:
            enabled, collecting = self._state.read(self._memory, state)
            heads = self._heads(state)
            settings = [self._generation.read(self._memory, head) for head in heads]
            stats = [self._stats.read(self._memory, place) for place in self._stats_places(state)]
        except UNREADABLE:
            return None
        counted = [*heads, state + self._permanent] if count_objects else []
        *objects, frozen = [self._count(head) for head in counted] or [None] * (GENERATIONS + 1)
        collections, collected, uncollectable = zip(*stats, strict=True)
        return Collector(
            enabled=bool(enabled),
            collecting=bool(collecting),
            thresholds=tuple(threshold for threshold, _ in settings),
            counts=tuple(count for _, count in settings),
            collections=collections,
            collected=collected,
            uncollectable=uncollectable,
            objects=tuple(objects),
            frozen_objects=frozen,
        )

    def permanent_heads(self, interpreters: Sequence[Interpreter]) -> list[int]:
        """Return where the lists of objects begin that gc.freeze() took out of the generations."""
        return [state + self._permanent for state in dict.fromkeys(map(self._address, interpreters))]

    def check(self, interpreter: Interpreter) -> str:
        """Say what is wrong with the lists of an interpreter's collector; empty if nothing is."""
        state = self._address(interpreter)
        try:
            broken = list(enumerate(self._heads(state)))
            for attempt in range(_CHECK_ATTEMPTS):
                broken = [(number, head) for number, head in broken if not self._is_linked(head)]
                if not broken or self._state.read(self._memory, state)[1]:
                    return ""
                time.sleep(attempt * _PAUSE_SECONDS)
        except UNREADABLE as error:
            return f"its lists are not readable ({error})"
        return f"the list of generation {broken[0][0]} is not doubly linked"

    def _address(self, interpreter: Interpreter) -> int:
        return self._shared or interpreter.address + self._offset

    def _heads(self, state: int) -> list[int]:
        """Return the addresses of the generations; each begins with the head of its list.

        The collector has a pointer to the first one. It is believed before the table: inside 3.13
        the generations moved by 4 bytes, when their alignment was declared anew.
        """
        first = _word(self._memory, state + self._generation0)
        if abs(first - state - self._generations) > _MOVED_AT_MOST or first & _PREVIOUS_FLAGS:
            raise BadObject("generation0 does not point to the first generation")
        return [first + number * self._generation_size for number in range(GENERATIONS)]

    def _stats_places(self, state: int) -> list[int]:
        """Return the addresses of the counters of each generation."""
        place = state + self._stats_offset
        if not self._rings:
            return [place + number * self._stats_size for number in range(GENERATIONS)]
        stats = int.from_bytes(self._memory.read(place, 8), "little")
        places = []
        for items, index, entries in self._rings:
            newest = self._memory.read(stats + index, 1)[0]
            places.append(stats + items + min(newest, entries - 1) * self._stats_size)
        return places

    def _is_linked(self, head: int) -> bool:
        """Follow the first links of a list, each there and back."""
        try:
            address = head
            for _ in range(_LINKS_CHECKED):
                following = _next(self._memory, address)
                if _previous(self._memory, following) != address:
                    return False
                address = following
                if address == head:
                    return True
            return _next(self._memory, _previous(self._memory, head)) == head
        except UNREADABLE:  # half of a link: torn, or no link at all
            return False

    def _count(self, head: int) -> int | None:
        """Count the objects of a list, or give up."""
        for attempt in range(_ATTEMPTS):
            try:
                return _length(self._memory, head)
            except UNREADABLE:
                pass
            except _TooMany:
                return None
            except _NotClosed:
                time.sleep(attempt * _PAUSE_SECONDS)
        return None


class _TooMany(Exception):
    """The list has more objects than are counted."""


class _NotClosed(Exception):
    """The list does not lead back to its head, or a link does not lead back."""


def _length(memory: Memory, head: int) -> int:
    """Walk a list once, page by page: objects next to each other share a read."""
    pages: dict[int, memoryview[int]] = {}
    count, address = 0, _next(memory, head)
    previous = head
    while address != head:
        count += 1
        if count > MAXIMUM_OBJECTS:
            raise _TooMany
        if address & 15:  # headers are aligned so: none lies across two pages
            raise _NotClosed
        page = pages.get(address // _PAGE)
        if page is None:
            if not is_pointer(address):
                raise _NotClosed
            if len(pages) >= _PAGES_KEPT:
                pages.clear()
            page = memoryview(memory.read(address // _PAGE * _PAGE, _PAGE)).cast("Q")
            pages[address // _PAGE] = page
        index = address % _PAGE // 8
        if page[index + 1] & ~_PREVIOUS_FLAGS != previous:
            raise _NotClosed
        previous, address = address, page[index] & ~_NEXT_FLAGS
    return count


def _next(memory: Memory, address: int) -> int:
    return _word(memory, address) & ~_NEXT_FLAGS


def _previous(memory: Memory, address: int) -> int:
    return _word(memory, address + 8) & ~_PREVIOUS_FLAGS


def _word(memory: Memory, address: int) -> int:
    return int.from_bytes(memory.read(address, 8), "little")


def _rings(objects: Objects) -> Sequence[tuple[int, int, int]]:
    """Return where each generation's ring has its items, its index, and how many items there are."""
    layout = objects.layout
    young, old = layout.offset("gc_stats.young"), layout.offset("gc_stats.old")
    second_old = old + layout.size("gc_old_stats_buffer")
    entries = layout.constant("GC_YOUNG_STATS_SIZE"), layout.constant("GC_OLD_STATS_SIZE")
    structs = ("gc_young_stats_buffer", "gc_old_stats_buffer", "gc_old_stats_buffer")
    places = zip((young, old, second_old), structs, (entries[0], entries[1], entries[1]), strict=True)
    return [
        (start + layout.offset(f"{struct}.items"), start + layout.offset(f"{struct}.index"), count)
        for start, struct, count in places
    ]
