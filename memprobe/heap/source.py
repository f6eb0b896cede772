"""The heap as a source of batches: a census now and then, and the lengths of the containers that are watched.

A census takes a second for ten million objects, so it is taken on a thread of its own, and the next one is
so far away that all together stay within a share of one CPU. Lengths are one read, at every poll.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from memprobe.errors import MemprobeError, TargetGone
from memprobe.heap.census import take_census
from memprobe.heap.document import TypePart
from memprobe.heap.opening import open_heap
from memprobe.heap.tally import counted_types
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process
from memprobe.vocab.batch import Batch
from memprobe.vocab.knobs import ALL, NOTHING, Knob
from memprobe.vocab.rows import CENSUS, CONTAINER, NOT_MEASURED, Rows, no_rows

NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class HeapOptions:
    """What may be chosen about a HeapSource."""

    interval_s: float = 30.0
    """The least time between two censuses."""

    share: float = 0.02
    """The most of one CPU that censuses may cost on average."""


@dataclass(frozen=True, slots=True)
class Length:
    """How many entries a watched container has now."""

    path: str
    address: int

    length: int | None
    """None once it has died."""


TakeCensus = Callable[[], Sequence[TypePart]]
ReadLengths = Callable[[], Iterable[Length]]


def heap_source(process: Process, python: Python, options: HeapOptions | None = None) -> HeapSource:
    """Return the source for a process whose Python is read."""

    def census() -> Sequence[TypePart]:
        with open_heap(process, python) as heap:
            return counted_types(take_census(heap))

    return HeapSource(process, census, options=options)


class HeapSource:
    """Takes censuses at its own pace; tier 1.

    `take_census` walks the heap and returns its types, `read_lengths` those of the containers that are
    watched. The process belongs to the caller. After an exec nothing more comes.
    """

    name = "heap"
    tier = 1

    def __init__(
        self,
        process: Process,
        take_census: TakeCensus,
        read_lengths: ReadLengths = tuple,
        options: HeapOptions | None = None,
    ) -> None:
        self._process = process
        self._take_census = take_census
        self._read_lengths = read_lengths
        self._options = options or HeapOptions()
        self._pace = ALL
        self._names: dict[str, int] = {}
        self._results = _Results()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._since_ns = 0

    def start(self) -> None:
        """Begin with the first census; raise a leaf of TargetGone if there is nothing to observe."""
        self._process.check()
        self._since_ns = time.monotonic_ns()
        self._thread = threading.Thread(target=self._work, name="memprobe heap", daemon=True)
        self._thread.start()

    @property
    def knobs(self) -> frozenset[Knob]:
        """What the governor can turn down: how far censuses are apart."""
        return frozenset({Knob.SNAPSHOTS})

    def turn(self, knob: Knob, one_in: int) -> None:
        """Take censuses one in `one_in` times as often; NOTHING: none."""
        if knob == Knob.SNAPSHOTS:
            self._pace = one_in

    def poll(self) -> Batch | None:
        """What has been counted since the last call; None once the target is gone."""
        if self._ended.is_set():
            return None
        begin_ns, self._since_ns = self._since_ns, time.monotonic_ns()
        known = len(self._names)
        try:
            self._process.check()
            containers = self._lengths()
        except TargetGone:
            self._ended.set()
            return None
        done, invisible = self._results.taken()
        censuses = [self._census(begin, types) for begin, types in done]
        return Batch(
            source=self.name,
            begin_ns=begin_ns,
            end_ns=self._since_ns,
            censuses=np.concatenate([no_rows(CENSUS), *censuses]),
            containers=containers,
            names=self._names_since(known),
            invisible=invisible,
        )

    def close(self) -> None:
        """Stop; a census that is under way is not waited for. May be called twice."""
        self._ended.set()

    def _work(self) -> None:
        while not self._ended.is_set():
            begin_ns, begin_cpu_ns = time.monotonic_ns(), time.thread_time_ns()
            if self._pace != NOTHING:
                try:
                    self._results.add(begin_ns, self._take_census())
                except TargetGone:
                    return
                except (MemprobeError, OSError) as error:
                    self._results.fail(f"A census of the heap: {error}.")
            cost_s = (time.thread_time_ns() - begin_cpu_ns) / NS
            apart_s = max(self._options.interval_s, cost_s / self._options.share) * max(self._pace, 1)
            self._ended.wait(apart_s)

    def _census(self, begin_ns: int, types: Sequence[TypePart]) -> Rows:
        rows = np.zeros(len(types), CENSUS)
        rows["time_ns"], rows["pid"] = begin_ns, self._process.pid
        rows["name_id"] = [self._name(row.type) for row in types]
        rows["estimated"] = [row.interval is not None for row in types]
        for name in ("objects", "getsizeof_bytes", "allocated_bytes"):
            rows[name] = [getattr(row, name) for row in types]
        rows["tracked"] = [row.tracked or 0 for row in types]
        return rows

    def _lengths(self) -> Rows:
        lengths = list(self._read_lengths())
        rows = np.zeros(len(lengths), CONTAINER)
        rows["time_ns"], rows["pid"] = self._since_ns, self._process.pid
        rows["name_id"] = [self._name(one.path) for one in lengths]
        rows["address"] = [one.address for one in lengths]
        rows["length"] = [NOT_MEASURED if one.length is None else one.length for one in lengths]
        return rows

    def _name(self, text: str) -> int:
        return self._names.setdefault(text, len(self._names) + 1)

    def _names_since(self, known: int) -> Mapping[int, str]:
        return {number: text for text, number in self._names.items() if number > known}


@dataclass(slots=True)
class _Results:
    """What the thread has counted and nobody has taken yet."""

    done: list[tuple[int, Sequence[TypePart]]] = field(default_factory=list)
    invisible: tuple[str, ...] = ()
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, begin_ns: int, types: Sequence[TypePart]) -> None:
        with self.lock:
            self.done.append((begin_ns, types))
            self.invisible = ()

    def fail(self, sentence: str) -> None:
        with self.lock:
            self.invisible = (sentence,)

    def taken(self) -> tuple[list[tuple[int, Sequence[TypePart]]], tuple[str, ...]]:
        with self.lock:
            done, self.done = self.done, []
            return done, self.invisible
