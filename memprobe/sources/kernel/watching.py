"""Uprobes in the followed processes: on the allocator's growth edges and the collector."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from memprobe.errors import MemprobeError, ReadFault
from memprobe.native.bpf import BpfError
from memprobe.sources.kernel.edges import Edges, Place, find_edges, opened_binary
from memprobe.sources.kernel.followed import Followed
from memprobe.sources.kernel.options import KernelOptions
from memprobe.sources.kernel.programs import Programs
from memprobe.sources.kernel.table import EXACT, GROWTH
from memprobe.sources.kernel.uprobes import Spot
from memprobe.target.binary.elf import BadElf
from memprobe.target.cpython.python import Python

# PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS
SOFTWARE, PAGE_FAULTS = 1, 2

LIFE_S = 2.0
"""Children that live shorter than this are not worth the 20 ms that an uprobe takes."""

POOL = "pool"
"""The place (edges.py) that can be left alone by itself."""

_OBJECTS = {"heap_grew": "allocator", "collection_begins": "collector", "collection_ends": "collector"}

_UNREADABLE = "Growth of Python's small objects and the collector are seen from outside only: {reason}."


class Watching:
    """Attaches uprobes, and takes them away."""

    def __init__(self, programs: Programs, options: KernelOptions) -> None:
        self._programs = programs
        self._options = options
        self._known: dict[tuple[int, ...], Edges] = {}
        self._wants_pools = True

    def watch(self, one: Followed) -> None:
        """Attach what its build offers; what it does not offer is noted."""
        one.has_edges = True
        left_out = () if self._wants_pools else (POOL,)
        self._attach_places(one, lambda place: place.name not in left_out)

    def want_pools(self, wanted: bool, followed: Iterable[Followed]) -> None:
        """Watch new pools in all of them, or in none."""
        self._wants_pools = wanted
        if not wanted:
            self._programs.detach("allocator", point=POOL)
            return
        for one in followed:
            if one.has_edges:
                self._attach_places(one, lambda place: place.name == POOL)

    def _attach_places(self, one: Followed, is_wanted: Callable[[Place], bool]) -> None:
        if one.process is None or one.python is None:
            return
        try:
            with opened_binary(one.process, one.python, one.mappings) as descriptor:
                edges = self._edges(descriptor, one.python)
                places = filter(is_wanted, edges.places)
                self._attach(one, places, f"/proc/self/fd/{descriptor}")
        except (BadElf, ReadFault, OSError, MemprobeError) as error:
            self._programs.say_missing("heap_grew", _UNREADABLE.format(reason=error))
            return
        for program, sentence in edges.missing.items():
            self._programs.say_missing(program, sentence)

    def _edges(self, descriptor: int, python: Python) -> Edges:
        """What a build offers; looked for once, as many processes may run the same."""
        status = os.fstat(descriptor)
        build = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if build not in self._known:
            growth = self._options.growth
            self._known[build] = find_edges(
                descriptor,
                python,
                pools=self._options.pools and growth,
                large_blocks=self._options.large_blocks and growth,
            )
        return self._known[build]

    def _attach(self, one: Followed, places: Iterable[Place], path: str) -> None:
        alike: dict[tuple[str, str], list[Spot]] = {}
        for place in places:
            spot = Spot(place.offset, place.cookie, place.semaphore)
            alike.setdefault((place.program, place.name), []).append(spot)
        for (program, name), spots in alike.items():
            owner = _OBJECTS[program]
            if not self._programs.has(owner):
                continue
            try:
                self._programs.attach_uprobes(owner, program, name, path, spots, one.pid)
            except BpfError as error:
                sentence = f"{name} of the allocator or collector cannot be watched: {error.strerror}."
                self._programs.say_missing(program, sentence)

    def watch_faults(self, one: Followed) -> None:
        """Count page faults where there is no exact account; threads and children that are new inherit it."""
        if not self._options.growth or self._programs.has_attached(EXACT):
            return
        try:
            for tid in one.tids():
                self._programs.attach_event(GROWTH, "page_faulted", SOFTWARE, PAGE_FAULTS, tid)
        except BpfError as error:
            self._programs.say_missing("page_faulted", f"Page faults cannot be counted: {error.strerror}.")

    def watch_one(self, followed: Iterable[Followed], now_s: float) -> None:
        """Attach to one of those that have lived for a while: it takes 100 ms, so not to all at once."""
        for one in followed:
            if not one.has_edges and one.python is not None and now_s - one.since_s >= LIFE_S:
                self.watch(one)
                return

    def leave(self, one: Followed) -> None:
        """Take away what was attached to a process that has ended or called exec."""
        self._programs.detach("allocator", "collector", pid=one.pid)
