"""The ledger of a run: everything that batches say, added up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from memprobe.abi import ProcessHow
from memprobe.ledger.collector import CollectorLedger
from memprobe.ledger.derived import Derived
from memprobe.ledger.entries import Mark
from memprobe.ledger.folding import joined
from memprobe.ledger.growth import GrowthLedger, GrowthSite
from memprobe.ledger.handle_group import HandleGroup, handle_group, handle_texts
from memprobe.ledger.handles import HandleLedger
from memprobe.ledger.insertions import Filled, InsertionLedger
from memprobe.ledger.memory_account import MemoryAccount
from memprobe.ledger.populations import Key, Populations
from memprobe.ledger.process import MemorySection, ProcessLedger, ProcessSection
from memprobe.ledger.regions import Regions
from memprobe.ledger.sites import HandleSite, Sites, summarise
from memprobe.vocab.batch import OPENING, Batch
from memprobe.vocab.rows import POPULATION, Rows
from memprobe.vocab.stack import Stack

MAX_STACKS = 1 << 16
"""Above this many, stacks that nothing refers to any more are forgotten."""


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """What folding a batch brought about, for models that look at streams."""

    begin_ns: int
    end_ns: int
    finished: Rows
    """FINISHED rows: lifetimes of descriptors that ended."""

    populations: Rows
    """POPULATION rows: what has been counted of what may pile up."""


class Ledger:
    """Folds batches, in the order in which they came.

    `tree` is whether children are observed, too.
    """

    def __init__(self, *, tree: bool = True) -> None:
        self.handles = HandleLedger(tree=tree)
        self.sites = Sites()
        self.growth = GrowthLedger()
        self.processes = ProcessLedger()
        self.collector = CollectorLedger()
        self.populations = Populations()
        self.regions = Regions()
        self.derived = Derived()
        self.insertions = InsertionLedger()
        self.stacks: dict[int, Stack] = {}
        self._most_stacks = MAX_STACKS
        self.losses: dict[str, int] = {}
        self.invisible: dict[str, tuple[str, ...]] = {}
        """By source: what it could not see when it was last asked."""

        self.events = self.looks = self.torn_objects = 0
        self.begin_ns: int | None = None
        self.now_ns = 0
        self._is_part = False
        """Whether only a part of the run is folded: what is older than its opening is of no account."""

    def fold(self, batch: Batch) -> News:
        """Take a batch in."""
        self._note(batch)
        finished = self.handles.fold(batch)
        self.sites.add(batch.births, finished)
        samples = self._of_living(batch.samples)
        self._forget(batch.processes)
        self.growth.fold(batch.growth, samples, batch.end_ns)
        self.processes.fold(samples)
        self.collector.fold(batch.collections)
        self.regions.fold(batch.regions)
        counted = self._of_living(batch.populations)
        self.populations.fold(counted, batch.subjects)
        own, subjects = self.derived.fold(self.handles, self.stacks, samples, batch.processes)
        self.populations.fold(own, subjects)
        self.insertions.fold(batch.watches, batch.changes, batch.processes)
        self._forget_stacks()
        if batch.source == OPENING:
            self._begin()
        populations = joined(POPULATION, counted, own)
        return News(batch.begin_ns, batch.end_ns, finished, populations)

    @property
    def duration_s(self) -> float:
        """How long has been observed."""
        return 0.0 if self.begin_ns is None else (self.now_ns - self.begin_ns) / 1e9

    def handle_sites(self, pid: int | None = None) -> list[HandleSite]:
        """Return the open descriptors by birth site, most first."""
        begin_ns = self.now_ns if self.begin_ns is None else self.begin_ns
        return summarise(self.handles.open(pid), self.sites, self.stacks, begin_ns, self.now_ns)

    def handle_group(self, pid: int, subject_id: int) -> HandleGroup:
        """Return what is known of the descriptors that a HANDLES subject counts (see derived.py)."""
        handles = self.handles.open(pid)
        members = np.flatnonzero(self.derived.members(subject_id, handles.rows))
        group = handle_group(handles, members, self.now_ns)
        stacks = self.derived.stacks(subject_id)
        flow = self.sites.flow_of(stacks)
        return replace(group, opened=flow.opened_weight, closed=flow.closed_weight) if stacks else group

    def handle_texts(self, pid: int, subject_id: int) -> list[str]:
        """Return what the descriptors that a HANDLES subject counts point to: those since the attach."""
        handles = self.handles.open(pid)
        is_new = (handles.rows["marks"] & Mark.INHERITED) == 0
        return handle_texts(handles, np.flatnonzero(self.derived.members(subject_id, handles.rows) & is_new))

    def growth_sites(self, pid: int | None = None) -> list[GrowthSite]:
        """Return growth by stack, most first."""
        begin_ns = self.now_ns if self.begin_ns is None else self.begin_ns
        return self.growth.sites(self.stacks, begin_ns, self.now_ns, pid)

    def filled(self, key: Key) -> Filled | None:
        """Return who fills a container (process and subject); None if it was not watched."""
        return self.insertions.filled(key, self.stacks)

    def memory_account(self, pid: int) -> MemoryAccount | None:
        """Return what the memory of a process is made of; None if it was not sampled."""
        return self.processes.memory_account(pid)

    def memory(self, pid: int) -> MemorySection:
        """Return the report's `memory` for a process."""
        return self.processes.memory(pid)

    def process(self, pid: int) -> ProcessSection:
        """Return the report's `process` for a process."""
        return self.processes.process(pid, self.collector.pause_ms(pid))

    def _note(self, batch: Batch) -> None:
        if self.begin_ns is None or not self._is_part:
            self.begin_ns = batch.begin_ns if self.begin_ns is None else min(self.begin_ns, batch.begin_ns)
        self.now_ns = max(self.now_ns, batch.end_ns)
        self.stacks.update(batch.stacks)
        self.invisible[batch.source] = batch.invisible
        for name, count in batch.losses.items():
            self.losses[name] = self.losses.get(name, 0) + count
        self.looks += len(batch.looks)
        self.torn_objects += int(batch.looks["torn_objects"].sum())
        tables = (batch.births, batch.deaths, batch.processes, batch.collections)
        self.events += sum(map(len, tables)) + int(batch.growth["events"].sum())

    def _of_living(self, rows: Rows) -> Rows:
        """Leave out what is told behind the end of its process: it would bring it back to life."""
        pids = rows["pid"].tolist()
        ended = {pid for pid in set(pids) if self.handles.has_ended(pid)}
        return rows[[pid not in ended for pid in pids]] if ended else rows

    def _forget(self, processes: Rows) -> None:
        """Forget who has ended, now or before, and what was known of programs that are others now."""
        self.populations.forget(processes)
        how, has_ended = processes["how"], self.handles.has_ended
        replaced = set(processes["pid"][how == ProcessHow.EXEC].tolist())
        self.processes.renew(replaced)
        if replaced or (how == ProcessHow.EXIT).any():
            self.growth.forget(has_ended)
            self.processes.forget(has_ended)
            self.collector.forget(has_ended)
            self.regions.forget(lambda pid: pid in replaced or has_ended(pid))

    def _begin(self) -> None:
        """Count what flows from here on: a part of a run has told how things stood when it began."""
        self._is_part = True
        self.sites = Sites()
        self.handles.begin()
        self.events = 0

    def _forget_stacks(self) -> None:
        if len(self.stacks) > self._most_stacks:
            used = self.sites.stacks() | self.growth.stacks() | self.insertions.stacks()
            used |= set(map(int, self.handles.open().rows["stack_id"]))
            self.stacks = {number: stack for number, stack in self.stacks.items() if number in used}
            # Where all are in use, to go over them takes 50 ms: not with every batch.
            self._most_stacks = max(MAX_STACKS, len(self.stacks) + len(self.stacks) // 4)
