"""Samples folded into the report's `memory` and `process`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from memprobe.ledger.memory_account import MemoryAccount, memory_account
from memprobe.vocab.rows import NOT_MEASURED, SAMPLE, Rows, no_rows

MIB = 1 << 20
BUILT_BYTES_PER_S = 20e6
"""So fast a process builds what it has on the whole: loading and parsing, beside other work."""

SERIES = 4096
"""Points kept of a process's RSS; when they are full every other one is dropped."""


@dataclass(frozen=True, slots=True)
class MemorySection:
    """`memory` of the report; None was not measured."""

    rss_mb: float | None
    rss_peak_mb: float | None
    vms_mb: float | None
    swap_mb: float | None
    rss_growth_mb_per_h: float | None
    python_mb: float | None
    arena_free_mb: float | None
    native_mb: float | None
    mmap_mb: float | None
    limit_mb: float | None
    limit_used_mb: float | None
    uss_mb: float | None


@dataclass(frozen=True, slots=True)
class GcSection:
    """`gc` of the report's `process`; None was not measured."""

    enabled: bool | None
    counts: tuple[int, ...] | None
    thresholds: tuple[int, ...] | None
    collections: tuple[int, ...] | None
    """By generation, since the process began."""

    pause_ms: float | None
    """All pauses that were seen, together."""


@dataclass(frozen=True, slots=True)
class ProcessSection:
    """`process` of the report; None was not measured."""

    cpu_pct: float | None
    threads: int | None
    fds: int | None
    fd_limit: int | None
    minor_faults_per_s: float | None
    major_faults_per_s: float | None
    gc: GcSection


class Series:
    """Points (time, value) of a process: thinned out evenly, so that the oldest stay."""

    def __init__(self) -> None:
        self.points: list[tuple[int, int]] = []
        self._every = 1
        self._seen = 0

    def add(self, time_ns: int, value: int) -> None:
        """Add a point; every n-th is kept."""
        if self._seen % self._every == 0:
            self.points.append((time_ns, value))
        self._seen += 1
        if len(self.points) >= SERIES:
            del self.points[1::2]
            self._every *= 2

    def slope_per_s(self) -> float | None:
        """Return the slope of the least-squares line; None with fewer than two instants.

        Sums of integers, exact: the same on every machine.
        """
        if len(self.points) < 2:
            return None
        begin_ns, first = self.points[0]
        times = [time - begin_ns for time, _ in self.points]
        values = [value - first for _, value in self.points]
        count, time_sum, value_sum = len(times), sum(times), sum(values)
        spread = count * sum(time * time for time in times) - time_sum * time_sum
        if not spread:
            return None
        together = count * sum(time * value for time, value in zip(times, values, strict=True))
        return (together - time_sum * value_sum) / spread * 1e9


@dataclass(slots=True)
class _Process:
    first: Rows
    earliest: Rows
    """Every number as it was first measured: some are dear, and come later."""

    last: Rows
    rss: Series


class ProcessLedger:
    """The samples of every process: the first, the last, and the course of RSS."""

    def __init__(self) -> None:
        self._processes: dict[int, _Process] = {}
        """In the order in which they were first sampled: the one that a run is about comes first."""

        self._renewed: set[int] = set()

    def fold(self, samples: Rows) -> None:
        """Take samples in; one row per process and tick."""
        for place in range(len(samples)):
            row = samples[place : place + 1]
            pid = int(row["pid"][0])
            if pid not in self._processes or pid in self._renewed:
                self._processes[pid] = _Process(row, row, row, Series())
                self._renewed.discard(pid)
            process = self._processes[pid]
            process.earliest = _carried_on(row, process.earliest)
            process.last = _carried_on(process.last, row)
            if row["rss_bytes"][0] != NOT_MEASURED:
                process.rss.add(int(row["time_ns"][0]), int(row["rss_bytes"][0]))

    def renew(self, pids: set[int]) -> None:
        """Begin anew with the next sample of these: they run another program now."""
        self._renewed |= pids

    def forget(self, has_ended: Callable[[int], bool]) -> None:
        """Forget the samples of processes that have ended: one that was long there has 500 kB of them."""
        self._renewed = {pid for pid in self._renewed if not has_ended(pid)}
        for pid in [pid for pid in self._processes if has_ended(pid)]:
            del self._processes[pid]

    def newest(self) -> Rows:
        """Return the last sample of every process that lives, each number as it was last measured."""
        return np.concatenate([no_rows(SAMPLE), *(one.last for one in self._processes.values())])

    def pids(self) -> list[int]:
        """Return the processes that are sampled."""
        return sorted(self._processes)

    def last(self, pid: int) -> Rows | None:
        """Return the last sample of a process: a table of one row."""
        return self._processes[pid].last if pid in self._processes else None

    def settled_s(self, pid: int, time_ns: int) -> float | None:
        """Return how long a process had been running at an instant; None before its first sample.

        Less the time that it took to build what it had at the first look: of 2 GB that is minutes, and what
        begins then begins with the process.
        """
        sample = self.last(pid)
        if sample is None or sample["age_ns"][0] == NOT_MEASURED:
            return None
        age_s = (int(sample["age_ns"][0]) + time_ns - int(sample["time_ns"][0])) / 1e9
        rss_bytes = max(0, int(self._processes[pid].earliest["rss_bytes"][0]))
        return max(0.0, age_s - rss_bytes / BUILT_BYTES_PER_S)

    def rss(self, pid: int) -> list[tuple[int, int]]:
        """Return the course of a process's RSS: (time_ns, bytes)."""
        return self._processes[pid].rss.points if pid in self._processes else []

    def memory_account(self, pid: int) -> MemoryAccount | None:
        """Return what the memory of a process is made of; None if it was not sampled."""
        process = self._processes.get(pid)
        return None if process is None else memory_account(pid, process.earliest, process.last)

    def memory(self, pid: int) -> MemorySection:
        """Return the section `memory` for a process."""
        process = self._processes.get(pid)
        slope = process.rss.slope_per_s() if process else None
        return MemorySection(
            rss_mb=self._mb(pid, "rss_bytes"),
            rss_peak_mb=self._mb(pid, "rss_peak_bytes"),
            vms_mb=self._mb(pid, "vms_bytes"),
            swap_mb=self._mb(pid, "swap_bytes"),
            rss_growth_mb_per_h=None if slope is None else slope * 3600 / MIB,
            python_mb=self._mb(pid, "python_bytes"),
            arena_free_mb=self._mb(pid, "arena_free_bytes"),
            native_mb=self._mb(pid, "native_bytes"),
            mmap_mb=self._mb(pid, "mmap_bytes"),
            limit_mb=self._mb(pid, "limit_bytes"),
            limit_used_mb=self._mb(pid, "limit_used_bytes"),
            uss_mb=self._mb(pid, "uss_bytes"),
        )

    def process(self, pid: int, pause_ms: float | None) -> ProcessSection:
        """Return the section `process`; the pauses are the collector's ledger's."""
        enabled = self._number(pid, "gc_enabled")
        return ProcessSection(
            cpu_pct=self._cpu_pct(pid),
            threads=self._number(pid, "threads"),
            fds=self._number(pid, "fds"),
            fd_limit=self._number(pid, "fd_limit"),
            minor_faults_per_s=self._per_s(pid, "minor_faults"),
            major_faults_per_s=self._per_s(pid, "major_faults"),
            gc=GcSection(
                enabled=None if enabled is None else bool(enabled),
                counts=self._numbers(pid, "gc_counts"),
                thresholds=self._numbers(pid, "gc_thresholds"),
                collections=self._numbers(pid, "gc_collections"),
                pause_ms=pause_ms,
            ),
        )

    def _cpu_pct(self, pid: int) -> float | None:
        rate = self._per_s(pid, "cpu_ns")
        return None if rate is None else rate / 1e7

    def _per_s(self, pid: int, name: str) -> float | None:
        """Return how fast a counter has grown."""
        process = self._processes.get(pid)
        if process is None:
            return None
        begin, end = process.first[0], process.last[0]
        elapsed_ns = int(end["time_ns"]) - int(begin["time_ns"])
        if elapsed_ns <= 0 or NOT_MEASURED in (begin[name], end[name]):
            return None
        return (int(end[name]) - int(begin[name])) * 1e9 / elapsed_ns

    def _number(self, pid: int, name: str) -> int | None:
        row = self.last(pid)
        value = NOT_MEASURED if row is None else int(row[name][0])
        return None if value == NOT_MEASURED else value

    def _numbers(self, pid: int, name: str) -> tuple[int, ...] | None:
        row = self.last(pid)
        values = () if row is None else tuple(int(value) for value in row[name][0])
        return None if not values or NOT_MEASURED in values else values

    def _mb(self, pid: int, name: str) -> float | None:
        value = self._number(pid, name)
        return None if value is None else value / MIB


def _carried_on(before: Rows, row: Rows) -> Rows:
    """Return a sample with what was not measured this time as it was measured last: some numbers are dear."""
    row = row.copy()
    for name in row.dtype.names or ():
        if (row[name] == NOT_MEASURED).all():
            row[name] = before[name]
    return row
