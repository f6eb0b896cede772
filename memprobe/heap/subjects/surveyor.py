"""Surveys a heap again and again: what may pile up there, and how many of it there are.

    collections      by the path that holds them, without keys      (places, collections, elements, limits)
    types            by name, and who holds most of what grew       (types, hubs)
    waste            garbage, hidden cycles, held by native code     (waste)
    under way        tasks, timers, queues, threads                  (concurrency)

A first survey can only tell what is large. The next ones tell what has grown, too, however small it is:
for that a survey remembers a number for each place and type (`remembered`). What one pass over the heap
counts has the time of its middle: under load a pass takes a second.

Of a heap that is too large for a whole graph, types are counted by a census, and collections looked for in
the part that is nearest to the roots (`memprobe.heap.part`); waste needs the whole graph, and is left out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from memprobe.heap.answers import Answers
from memprobe.heap.census import Progress, remarks
from memprobe.heap.graph import build_graph, open_for_graph
from memprobe.heap.opening import OpenHeap
from memprobe.heap.part import answers_near_roots, is_large, remark
from memprobe.heap.subjects.collections import Collections
from memprobe.heap.subjects.concurrency import Concurrency
from memprobe.heap.subjects.counted import Counted
from memprobe.heap.subjects.counting import count_types
from memprobe.heap.subjects.kinds import Kinds
from memprobe.heap.subjects.places import Places
from memprobe.heap.subjects.remembered import remember, unpacked
from memprobe.heap.subjects.type_counts import TypeCount, type_counts
from memprobe.heap.subjects.types import Types
from memprobe.heap.subjects.waste import Waste
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process
from memprobe.vocab.subject import Subject, What

OBJECTS, BLOCKS = "objects", "blocks without an object"
"""The types of two subjects that are sums: of all objects, and of the allocator's blocks without one."""


OF_WHOLE_GRAPHS = frozenset({"garbage", "uncollectable", "unheld", "ended"})
"""What the keys of those subjects begin with that the graph of a part of a heap does not tell."""


def _nothing(walked: int, total: int) -> None:
    """Who does not want to know."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How well the last survey saw."""

    objects: int = 0
    torn_objects: int = 0
    remarks: tuple[str, ...] = ()


class _Times(NamedTuple):
    """When things were read, in the middle."""

    counted_ns: int
    """The objects by type."""

    roots_ns: int


class Surveyor:
    """Surveys one process."""

    def __init__(self, process: Process, python: Python, remembered: bytes = b"") -> None:
        self._process = process
        self._python = python
        self._before = unpacked(remembered)
        self._types: frozenset[str] = frozenset()
        self._left_out: frozenset[str] = frozenset()
        self.evidence = Evidence()

    def leaves_open(self, key: str) -> bool:
        """Tell whether the last survey does not say how many there are of what it has not told of."""
        sort, _, name = key.partition(":")
        return sort in self._left_out or (sort == "type" and name in self._types)

    @property
    def remembered(self) -> bytes:
        """What another Surveyor of the same process has to know to go on."""
        return self._before.packed()

    def survey(self, progress: Progress = _nothing) -> Iterator[Counted]:
        """Look at the whole heap once, and yield what may pile up in it.

        `progress` is called now and then: with the bytes walked and those in all, or with zeros between the
        steps that come after.
        """
        with open_for_graph(self._process, self._python) as heap:
            large = is_large(heap, was_large=self._before.is_of_part)
            yield from self._of_part(heap, progress) if large else self._of_whole(heap, progress)

    def _of_whole(self, heap: OpenHeap, progress: Progress) -> Iterator[Counted]:
        begin_ns = time.monotonic_ns()
        answers = Answers(heap, build_graph(heap, progress))
        middle_ns, counters = (begin_ns + time.monotonic_ns()) // 2, heap.native.counters()
        objects, torn = len(answers.graph), counters["torn_objects"]
        self.evidence = Evidence(objects, torn, tuple(remarks(heap, counters)))
        counts = type_counts(answers)
        yield from sums(counts, unowned_bytes(answers), middle_ns)
        begin_ns = time.monotonic_ns()
        answers.read_roots()
        roots_ns = (begin_ns + time.monotonic_ns()) // 2
        progress(0, 0)
        waste = Waste(answers, middle_ns)
        yield from self._of_graph(answers, counts, _Times(middle_ns, roots_ns), waste, progress)

    def _of_part(self, heap: OpenHeap, progress: Progress) -> Iterator[Counted]:
        begin_ns = time.monotonic_ns()
        counted = count_types(heap, progress)
        middle_ns = (begin_ns + time.monotonic_ns()) // 2
        if counted.unowned_bytes is not None:
            yield from sums(counted.types, counted.unowned_bytes, middle_ns)
        begin_ns = time.monotonic_ns()
        answers = answers_near_roots(heap)
        roots_ns = (begin_ns + time.monotonic_ns()) // 2
        said = (*counted.remarks, remark(answers.graph, counted.objects))
        self.evidence = Evidence(counted.objects, counted.torn_objects, said)
        yield from self._of_graph(answers, counted.types, _Times(middle_ns, roots_ns), None, progress)

    def _of_graph(
        self,
        answers: Answers,
        counts: Sequence[TypeCount],
        times: _Times,
        waste: Waste | None,
        progress: Progress,
    ) -> Iterator[Counted]:
        """Yield what a graph tells; `waste` was found in it before its counts were given up."""
        progress(0, 0)
        kinds = Kinds(answers)
        progress(0, 0)
        places = Places(answers, kinds)
        progress(0, 0)
        collections = Collections(answers, kinds, places)
        types = Types(answers, kinds, counts, times.counted_ns)
        self._types = frozenset(one.type for one in counts)
        self._left_out = OF_WHOLE_GRAPHS if waste is None else frozenset()
        yield from collections.tell(self._before)
        yield from collections.at_exit(times.roots_ns)
        yield from types.tell(self._before)
        yield from () if waste is None else waste.tell()
        yield from Concurrency(answers, kinds).tell()
        counted = types.numbered
        self._before = remember(
            np.concatenate((places.known, counted.numbers)),
            np.concatenate((places.members, counted.objects)),
            np.concatenate((places.entries, counted.sizes)),
            collections.told | types.told,
            is_of_part=answers.graph.is_part,
        )


def unowned_bytes(answers: Answers) -> int:
    """Return what the blocks without an object take, by a whole graph."""
    return max(0, answers.heap.native.counters()["raw_bytes"] - answers.graph.counters["table_bytes"])


def sums(counts: Sequence[TypeCount], unowned: int, counted_ns: int) -> Iterator[Counted]:
    """Yield what all objects take, and what no object has."""
    allocated = sum(one.allocated_bytes for one in counts)
    for name, size in ((OBJECTS, allocated), (BLOCKS, unowned)):
        yield Counted(Subject(What.MEMORY, name), f"memory:{name}", size, size, time_ns=counted_ns)
