"""A small kernel: tables of descriptors as plain dicts, and the events that the probes would send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np

from memprobe.abi import BirthHow, DeathHow, ProcessHow
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch, Handles
from memprobe.vocab.rows import Rows, no_rows

FIRST_TABLE = 1 << 63
TICK_NS = 1_000

Birth = tuple[int, int]
"""Time and stack of a birth; the truth about one open descriptor."""


@dataclass
class Kernel:
    """What is true, and what was sent."""

    now_ns: int = 1_000_000_000
    tables: dict[int, dict[int, Birth]] = field(default_factory=dict)
    table_of: dict[int, int] = field(default_factory=dict)
    events: list[tuple[str, dict[str, Any], bytes]] = field(default_factory=list)
    pictures: list[Handles] = field(default_factory=list)
    losing: bool = False
    lost: int = 0
    lost_processes: int = 0
    _inodes: dict[Birth, int] = field(default_factory=dict)
    _pids: Iterator[int] = field(default_factory=lambda: count(100))

    def process(self) -> int:
        """A new process with an empty table."""
        pid = next(self._pids)
        self.table_of[pid] = self._new_table({})
        return pid

    def open(self, pid: int, stack: int, how: int = BirthHow.OPEN) -> int:
        table = self._table(pid)
        descriptor = next(number for number in range(len(table) + 1) if number not in table)
        self._born(pid, descriptor, how, stack, path=f"/tmp/{stack}".encode())
        return descriptor

    def dup_over(self, pid: int, source: int, descriptor: int, stack: int) -> None:
        """dup2: death and birth together."""
        if source not in self._table(pid) or source == descriptor:
            return
        if descriptor in self._table(pid):
            self._died(pid, descriptor, descriptor, DeathHow.REPLACED)
        self._born(pid, descriptor, BirthHow.DUP, stack, source=source)

    def close(self, pid: int, descriptor: int) -> None:
        if descriptor in self._table(pid):
            self._died(pid, descriptor, descriptor, DeathHow.CLOSE)

    def close_range(self, pid: int, first: int, last: int) -> None:
        self._died(pid, first, last, DeathHow.CLOSE_RANGE)

    def fork(self, pid: int, *, share: bool) -> int:
        child = next(self._pids)
        before = self.table_of[pid]
        after = before if share else self._new_table(self.tables[before])
        self.table_of[child] = after
        self._process(ProcessHow.FORK, pid, after, before, child)
        if not share:
            self.census(child)
        return child

    def exec(self, pid: int, closing: int) -> None:
        """Exec closes every descriptor that `closing` divides; a shared table is copied first."""
        before = self.table_of[pid]
        after = self._new_table(self.tables[before]) if self._sharers(before) > 1 else before
        self.tables[after] = {
            number: birth for number, birth in self.tables[after].items() if number % closing
        }
        self.table_of[pid] = after
        self._process(ProcessHow.EXEC, pid, after)
        self.census(pid)

    def unshare(self, pid: int) -> None:
        before = self.table_of[pid]
        if self._sharers(before) > 1:
            self.table_of[pid] = self._new_table(self.tables[before])
            self._process(ProcessHow.UNSHARE, pid, self.table_of[pid], before)
            self.census(pid)

    def exit(self, pid: int) -> None:
        files = self.table_of.pop(pid)
        if files not in self.table_of.values():
            del self.tables[files]
        self._process(ProcessHow.EXIT, pid, files)

    def census(self, pid: int) -> None:
        """What the kernel sends after fork, exec and unshare, and when it is asked."""
        files, table = self.table_of[pid], self._table(pid)
        words = 1 + max(table, default=0) // 64
        for first in range(0, words, 64):
            part = np.zeros(64, np.uint64)
            for number in table:
                if first <= number // 64 < first + 64:
                    part[number // 64 - first] |= np.uint64(1 << number % 64)
            self._send(
                "tables", {"pid": pid, "tid": pid, "files": files, "first": first * 64,
                           "words": min(64, words - first), "table_words": words, "open": part},
            )  # fmt: skip

    def picture(self, pid: int, gap_ns: int = TICK_NS) -> None:
        """What a walk through the links of the process shows."""
        self.now_ns += gap_ns
        table = self._table(pid)
        shown = np.zeros(len(table), rows.OPEN_HANDLE)
        shown["descriptor"] = list(table)
        shown["inode"] = [self._inodes.setdefault(birth, len(self._inodes) + 1) for birth in table.values()]
        texts = tuple(f"stack {stack}" for _, stack in table.values())
        self.pictures.append(Handles(pid, self.now_ns, self.now_ns + gap_ns, shown, texts))
        self.now_ns += 2 * gap_ns

    def batch(self) -> Batch:
        """Everything since the last batch."""
        events, self.events = self.events, []
        pictures, self.pictures = self.pictures, []
        self.now_ns += TICK_NS
        return Batch(
            source="model",
            begin_ns=0,
            end_ns=self.now_ns,
            drained_ns=self.now_ns,
            births=_rows(events, "births", rows.BIRTH),
            paths=b"".join(path for _, _, path in events),
            deaths=_rows(events, "deaths", rows.DEATH),
            processes=_rows(events, "processes", rows.PROCESS),
            tables=_rows(events, "tables", rows.TABLE),
            handles=tuple(pictures),
        )

    def _table(self, pid: int) -> dict[int, Birth]:
        return self.tables[self.table_of[pid]]

    def _sharers(self, files: int) -> int:
        return list(self.table_of.values()).count(files)

    def _new_table(self, content: dict[int, Birth]) -> int:
        """The lowest free address: freed ones come back, as in the kernel."""
        files = next(at for at in range(FIRST_TABLE, FIRST_TABLE + 10_000) if at not in self.tables)
        self.tables[files] = dict(content)
        return files

    def _born(
        self, pid: int, descriptor: int, how: int, stack: int, source: int = -1, path: bytes = b""
    ) -> None:
        birth = {"pid": pid, "tid": pid, "files": self.table_of[pid], "descriptor": descriptor, "how": how,
                 "stack_id": stack, "source": source, "weight": 1, "path_bytes": len(path)}  # fmt: skip
        self._send("births", birth, path)
        self._table(pid)[descriptor] = (self.now_ns, stack)

    def _died(self, pid: int, first: int, last: int, how: int) -> None:
        death = {"pid": pid, "tid": pid, "files": self.table_of[pid], "first": first, "last": last}
        self._send("deaths", {**death, "how": how})
        table = self._table(pid)
        for descriptor in [number for number in table if first <= number <= last]:
            del table[descriptor]

    def _process(self, how: int, pid: int, files: int, before: int = 0, other: int = 0) -> None:
        record = {"pid": pid, "tid": pid, "files": files, "from_files": before, "how": how, "other": other}
        self._send("processes", record)

    def _send(self, table: str, fields: dict[str, Any], path: bytes = b"") -> None:
        self.now_ns += TICK_NS
        if self.losing:
            self.lost += 1
            self.lost_processes += table == "processes"
        else:
            self.events.append((table, {"time_ns": self.now_ns, **fields}, path))


def _rows(events: list[tuple[str, dict[str, Any], bytes]], table: str, dtype: np.dtype[np.void]) -> Rows:
    chosen = [fields for name, fields, _ in events if name == table]
    made = np.zeros(len(chosen), dtype) if chosen else no_rows(dtype)
    for row, fields in enumerate(chosen):
        for name, value in fields.items():
            made[name][row] = value
    return made
