"""What the handle ledger remembers from batch to batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from memprobe.ledger import reconciling
from memprobe.ledger.entries import FINISHED, End, Mark, found
from memprobe.ledger.folding import Flags, close_all, joined
from memprobe.ledger.reconciling import Shown, UnderWay
from memprobe.ledger.tables import Table, Tables
from memprobe.ledger.texts import Texts
from memprobe.vocab.rows import Rows

GRACE_NS = 50_000_000
"""How far an event and its effect may lie apart: a thread that is preempted in close or open."""

GARBAGE_BYTES = 1 << 20
"""Texts are compacted when they have this much, and more than half, that nobody refers to."""

REMEMBERED_PROCESSES = 1 << 16


@dataclass(slots=True)
class Evidence:
    """How far the entries can be trusted."""

    repaired: int = 0
    """Differences between the ledger and what was really open; every one was put right."""

    polled: int = 0
    """Differences found while births and deaths were not observed: this is how polling sees them."""

    compared: int = 0
    """Pictures and censuses that were compared."""

    outdated: int = 0
    """Pictures not used: by the time they were complete their process had ended or had another table."""


@dataclass(slots=True)
class State:
    """Tables, texts and counts."""

    tree: bool = True
    """Whether children are observed; a child that is not gets no table."""

    grace_ns: int = GRACE_NS
    tables: Tables = field(default_factory=Tables)
    texts: Texts = field(default_factory=Texts)
    evidence: Evidence = field(default_factory=Evidence)
    ended: dict[int, int] = field(default_factory=dict)
    """When processes ended."""

    unobserved: dict[int, int] = field(default_factory=dict)
    """Children that are not observed, and when they were born."""

    finished: list[Rows] = field(default_factory=list)
    """Lifetimes that ended in the current batch."""

    def finish(self, *lifetimes: Rows) -> None:
        """Note lifetimes that have ended."""
        self.finished += [rows for rows in lifetimes if len(rows)]

    def take_finished(self) -> Rows:
        """Return the lifetimes that have ended since this was last asked."""
        taken, self.finished = self.finished, []
        return joined(FINISHED, *taken)

    def count(self, table: Table, differences: int) -> None:
        """Count differences under the name that fits the table."""
        if table.trusted:
            self.evidence.repaired += differences
        else:
            self.evidence.polled += differences

    def compare(
        self, table: Table, shown: Shown, under_way: Callable[[], UnderWay], pid: int, time_ns: int
    ) -> None:
        """Put a table right by what is really open; nearly always it is right, and nothing else is asked."""
        self.evidence.compared += 1
        difference = reconciling.compare(table.rows, shown)
        if difference.count:
            difference = reconciling.settled(table.rows, difference, under_way())
        if difference.count:
            self._repair(table, difference, pid, time_ns)

    def _repair(self, table: Table, difference: reconciling.Difference, pid: int, time_ns: int) -> None:
        end = End.MISSED if table.next_census is None else table.next_census
        mark = _mark(table, end)
        gone = table.rows[difference.gone]
        self.finish(close_all(gone, time_ns, end))
        table.touch(np.union1d(gone["descriptor"], difference.missing), time_ns)
        table.rows = reconciling.repaired(
            table.rows, difference, found(difference.missing, pid, time_ns, mark)
        )
        self.count(table, len(gone) * (end == End.MISSED))
        self.count(table, len(difference.missing) * (mark in (Mark.MISSED, Mark.POLLED)))

    def replace(self, table: Table, other: Flags, time_ns: int) -> None:
        """End entries under whose number there is something else now; the comparison finds what."""
        if other.any():
            self.count(table, int(np.count_nonzero(other)))
            self.finish(close_all(table.rows[other], time_ns, End.MISSED))
            table.rows = table.rows[~other]

    def child(self, pid: int, time_ns: int) -> bool:
        """Note a new process; tell whether it is observed."""
        self.ended.pop(pid, None)
        if not self.tree:
            self.unobserved[pid] = time_ns
            _forget_oldest(self.unobserved)
        return self.tree

    def exited(self, pid: int, time_ns: int) -> None:
        """Note that a process has ended."""
        self.unobserved.pop(pid, None)
        self.ended[pid] = time_ns
        _forget_oldest(self.ended)

    def compact_texts(self) -> None:
        """Take out the texts that nobody refers to, when they have become many."""
        tables = [table for table in self.tables if len(table.rows)]
        used_bytes = sum(int(table.rows["text_bytes"].sum()) for table in tables)
        if self.texts.used_bytes < GARBAGE_BYTES + 2 * used_bytes:
            return
        rows = np.concatenate([table.rows[["text", "text_bytes"]] for table in tables]) if tables else None
        if rows is None:
            self.texts = Texts()
            return
        moved = self.texts.compact(rows["text"].astype(np.int64), rows["text_bytes"].astype(np.int64))
        ends = np.cumsum([len(table.rows) for table in tables])
        for table, starts in zip(tables, np.split(moved, ends[:-1]), strict=True):
            table.rows["text"] = starts


def _mark(table: Table, end: End) -> Mark:
    """Say why an entry has no birth."""
    if not table.complete:
        return Mark.INHERITED
    if end in (End.NEVER, End.CLOSED):
        return Mark.COPIED
    return Mark.MISSED if table.trusted else Mark.POLLED


def _forget_oldest(times: dict[int, int]) -> None:
    while len(times) > REMEMBERED_PROCESSES:
        del times[next(iter(times))]
