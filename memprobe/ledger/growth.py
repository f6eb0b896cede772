"""Where memory grows: totals by stack, and whether the account closes.

Growth comes as differences by (process, stack, how). The hows do not add up to one another: the same page is
mapped, then faulted, and belongs to an arena. Only what `kmem:rss_stat` says is an account of resident
memory, and that account is held against the RSS of the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from memprobe.abi import GrowthHow
from memprobe.vocab.rows import NOT_MEASURED, Rows
from memprobe.vocab.stack import Frame, Stack

MAX_STACKS = 1 << 16
"""Above this many, growth is added to the unknown stack."""

HOW_NAMES = {
    GrowthHow.FAULT: "fault",
    GrowthHow.RSS_ANONYMOUS: "fault",
    GrowthHow.RSS_FILE: "fault",
    GrowthHow.RSS_SHARED: "fault",
    GrowthHow.MMAP: "mmap",
    GrowthHow.MMAP_FILE: "mmap",
    GrowthHow.BRK: "brk",
    GrowthHow.ARENA: "arena",
    GrowthHow.POOL: "pool",
    GrowthHow.LARGE: "large",
    GrowthHow.SAMPLED: "py-spy",
}
"""As the report calls them; what is not here is part of the account only."""

GROSS = frozenset({"arena", "pool", "large", "py-spy"})
"""What is never taken back, because its end is not seen: no measure of what is left."""

RESIDENT = frozenset({GrowthHow.RSS_FILE, GrowthHow.RSS_ANONYMOUS, GrowthHow.RSS_SHARED})
"""What adds up to RSS."""

ENDED = 0
"""Stands for all processes that have ended."""

Key = tuple[int, int, int]
"""Process, stack id, abi.GrowthHow."""


@dataclass(slots=True)
class Total:
    """What one stack of a process has grown by since the beginning."""

    grown_bytes: int = 0
    freed_bytes: int = 0
    events: int = 0
    first_ns: int = 0
    """When it was first seen to grow."""

    @property
    def net_bytes(self) -> int:
        """Grown less freed."""
        return self.grown_bytes - self.freed_bytes


@dataclass(frozen=True, slots=True)
class GrowthSite:
    """One row of the report's `growth`."""

    bytes: int
    """Net: what was freed again is taken off."""

    bytes_per_s: float | None
    how: str
    site: tuple[Frame, ...]
    """Innermost first; empty if it is not known."""

    events: int


@dataclass(frozen=True, slots=True)
class Account:
    """Growth by stack against the change of the resident memory, between two samples of a process."""

    pid: int
    begin_ns: int
    end_ns: int
    rss_change_bytes: int
    explained_bytes: int
    """What all stacks together grew by."""

    with_stack_bytes: int
    """The part of it whose stack is known."""

    @property
    def ratio(self) -> float | None:
        """Explained over changed; None if nothing changed."""
        return self.explained_bytes / self.rss_change_bytes if self.rss_change_bytes else None


@dataclass(frozen=True, slots=True)
class _Reading:
    time_ns: int
    rss_bytes: int
    explained_bytes: int
    with_stack_bytes: int


class GrowthLedger:
    """Growth deltas added up."""

    def __init__(self) -> None:
        self._totals: dict[Key, Total] = {}
        self._explained: dict[int, int] = {}
        self._with_stack: dict[int, int] = {}
        self._readings: dict[int, tuple[_Reading, _Reading]] = {}

    def fold(self, growth: Rows, samples: Rows, now_ns: int) -> None:
        """Take in what has grown, then hold it against the samples."""
        for row in growth:  # aggregated in the kernel: a row per stack that grew, not per event
            self._add(row, now_ns)
        for row in samples:
            if row["rss_bytes"] != NOT_MEASURED:
                self._read(int(row["pid"]), int(row["time_ns"]), int(row["rss_bytes"]))

    def forget(self, has_ended: Callable[[int], bool]) -> None:
        """Count what those have grown by that have ended as one: a service may start processes for ever."""
        for key in [key for key in self._totals if key[0] != ENDED and has_ended(key[0])]:
            total = self._totals.pop(key)
            _add_up(self._totals.setdefault((ENDED, *key[1:]), Total(first_ns=total.first_ns)), total)
        for known in (self._explained, self._with_stack, self._readings):
            for pid in [pid for pid in known if has_ended(pid)]:
                del known[pid]

    def totals(self) -> Mapping[Key, Total]:
        """Return everything that has grown."""
        return self._totals

    def stacks(self) -> set[int]:
        """Return the ids of the stacks that have grown."""
        return {stack for _, stack, _ in self._totals}

    def accounts(self) -> list[Account]:
        """Return the account of each process that was sampled at least twice and whose RSS was followed."""
        return [
            Account(
                pid=pid,
                begin_ns=first.time_ns,
                end_ns=last.time_ns,
                rss_change_bytes=last.rss_bytes - first.rss_bytes,
                explained_bytes=last.explained_bytes - first.explained_bytes,
                with_stack_bytes=last.with_stack_bytes - first.with_stack_bytes,
            )
            for pid, (first, last) in self._readings.items()
            if last is not first and pid in self._explained
        ]

    def sites(
        self, stacks: Mapping[int, Stack], begin_ns: int, now_ns: int, pid: int | None = None
    ) -> list[GrowthSite]:
        """Return growth by how and stack, most first, what is only gross last; rates since `begin_ns`."""
        rows: dict[tuple[str, tuple[Frame, ...]], Total] = {}
        for (process, stack, how), total in self._totals.items():
            if how in HOW_NAMES and pid in (None, process):
                frames = stacks[stack].frames if stack in stacks else ()
                _add_up(rows.setdefault((HOW_NAMES[GrowthHow(how)], frames), Total()), total)
        seconds = (now_ns - begin_ns) / 1e9
        sites = [_site(how, frames, total, seconds) for (how, frames), total in rows.items()]
        return sorted(sites, key=lambda site: (site.how in GROSS, -site.bytes, site.how, str(site.site)))

    def _add(self, row: np.void, now_ns: int) -> None:
        pid, stack, how = int(row["pid"]), int(row["stack_id"]), int(row["how"])
        grown, freed = int(row["grown_bytes"]), int(row["freed_bytes"])
        if (pid, stack, how) not in self._totals and len(self._totals) >= MAX_STACKS:
            stack = 0
        total = self._totals.setdefault((pid, stack, how), Total(first_ns=now_ns))
        total.grown_bytes += grown
        total.freed_bytes += freed
        total.events += int(row["events"])
        if how in RESIDENT:
            self._explained[pid] = self._explained.get(pid, 0) + grown - freed
            self._with_stack[pid] = self._with_stack.get(pid, 0) + (grown - freed) * (stack != 0)

    def _read(self, pid: int, time_ns: int, rss_bytes: int) -> None:
        now = _Reading(time_ns, rss_bytes, self._explained.get(pid, 0), self._with_stack.get(pid, 0))
        first, _ = self._readings.get(pid, (now, now))
        self._readings[pid] = (first, now)


def _add_up(sum_of_all: Total, total: Total) -> None:
    sum_of_all.grown_bytes += total.grown_bytes
    sum_of_all.freed_bytes += total.freed_bytes
    sum_of_all.events += total.events


def _site(how: str, frames: tuple[Frame, ...], total: Total, seconds: float) -> GrowthSite:
    rate = total.net_bytes / seconds if seconds > 0 else None
    return GrowthSite(total.net_bytes, rate, how, frames, total.events)
