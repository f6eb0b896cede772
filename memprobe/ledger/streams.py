"""A batch's births and deaths as one stream per table of descriptors, and what stands between them.

Births and deaths of single descriptors are folded by the thousand. What concerns a whole table (fork, exec,
exit, a census, close_range) is a barrier: the streams of the tables involved are folded as far as its time,
then it is applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from memprobe.abi import DeathHow
from memprobe.vocab.batch import Batch
from memprobe.vocab.rows import Rows

Integers: TypeAlias = npt.NDArray[np.integer]

NARROW = 16
"""A close_range of up to this many descriptors is folded as that many deaths."""


@dataclass(frozen=True, slots=True)
class Events:
    """Births and deaths of one table, in the order of their times."""

    time_ns: Integers
    descriptor: Integers

    what: Integers
    """The row of the birth, or minus the abi.DeathHow."""

    def __len__(self) -> int:
        return len(self.time_ns)

    def __getitem__(self, part: slice | Integers) -> Events:
        return Events(self.time_ns[part], self.descriptor[part], self.what[part])


class Stream:
    """The events of one table, taken bit by bit."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._at = 0

    def take(self, until_ns: int | None = None) -> Events:
        """Return what has not been taken yet, as far as this instant."""
        begin, self._at = self._at, self._place(until_ns)
        return self._events[begin : self._at]

    def ahead(self, until_ns: int) -> Events:
        """Return what will come before this instant, without taking it."""
        return self._events[self._at : self._place(until_ns)]

    def _place(self, until_ns: int | None) -> int:
        if until_ns is None:
            return len(self._events)
        place = np.searchsorted(self._events.time_ns, np.uint64(until_ns), side="right")
        return max(self._at, int(place))


@dataclass(frozen=True, slots=True)
class Barrier:
    """Something that concerns a whole table: a row of one of the batch's tables."""

    time_ns: int

    rank: int
    """0 process, 1 table, 2 wide close_range: also their order at one instant."""

    row: int


PROCESS, TABLE, RANGE = 0, 1, 2


def streams(batch: Batch) -> dict[int, Stream]:
    """Sort the batch's births and single deaths by table and time."""
    deaths = _single(batch.deaths)
    files = np.concatenate([deaths["files"], batch.births["files"]])
    events = _events(deaths, batch.births)
    order = np.argsort(events.time_ns, kind="stable")
    return {table: Stream(events[rows]) for table, rows in _by_table(files, order)}


def barriers(batch: Batch) -> list[Barrier]:
    """Return what has to be applied as a whole, in order."""
    wide = np.flatnonzero(_width(batch.deaths) >= NARROW)
    times = [
        *((int(time), PROCESS, row) for row, time in enumerate(batch.processes["time_ns"])),
        *((int(time), TABLE, row) for row, time in enumerate(batch.tables["time_ns"])),
        *((int(batch.deaths["time_ns"][row]), RANGE, int(row)) for row in wide),
    ]
    return [Barrier(*one) for one in sorted(times)]


def _width(deaths: Rows) -> Integers:
    width: Integers = np.subtract(deaths["last"], deaths["first"], dtype=np.int64)
    return width


def _single(deaths: Rows) -> Rows:
    """Return deaths of single descriptors: narrow ranges are spread out, wide ones left out."""
    width = _width(deaths)
    if not width.any():
        return deaths
    narrow = np.flatnonzero((width >= 0) & (width < NARROW))
    counts = width[narrow] + 1
    spread = deaths[np.repeat(narrow, counts)]
    spread["first"] += (np.arange(len(spread)) - np.repeat(np.cumsum(counts) - counts, counts)).astype(
        np.int32
    )
    return spread


def _events(deaths: Rows, births: Rows) -> Events:
    """Put deaths before births: at one instant a number is freed before it is taken."""
    how = np.where(deaths["how"] == DeathHow.REPLACED, -int(DeathHow.REPLACED), -int(DeathHow.CLOSE))
    return Events(
        np.concatenate([deaths["time_ns"], births["time_ns"]]),
        np.concatenate([deaths["first"], births["descriptor"]]),
        np.concatenate([how.astype(np.int32), np.arange(len(births), dtype=np.int32)]),
    )


def _by_table(files: Integers, order: Integers) -> list[tuple[int, Integers]]:
    if not len(files):
        return []
    if (files == files[0]).all():
        return [(int(files[0]), order)]
    tables, table = np.unique(files, return_inverse=True)
    grouped = order[np.argsort(table[order], kind="stable")]
    ends = np.cumsum(np.bincount(table, minlength=len(tables)))
    return list(zip(map(int, tables), np.split(grouped, ends[:-1]), strict=True))
