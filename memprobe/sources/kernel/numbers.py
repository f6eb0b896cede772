"""Kernel numbers of processes and threads, and memprobe's own."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from memprobe.vocab import rows
from memprobe.vocab.rows import Rows

MOST = 1 << 16
"""Numbers that are remembered, those of threads that have ended among them."""


class Numbers:
    """Translates pids and tids; in the initial pid namespace there is nothing to do."""

    def __init__(self, *, is_initial: bool) -> None:
        self.is_initial = is_initial
        self._own: dict[int, int] = {}

    def learn(self, tasks: Rows) -> None:
        """Take the numbers of a census."""
        for kernel_number, own in zip(tasks["tid"].tolist(), tasks["local_tid"].tolist(), strict=True):
            self.add(kernel_number, own)

    def add(self, kernel_number: int, own: int) -> None:
        """Take one number."""
        if not self.is_initial:
            self._own.pop(kernel_number, None)
            self._own[kernel_number] = own
            if len(self._own) > MOST:  # threads come and go: the one that was told longest ago
                del self._own[next(iter(self._own))]

    def own(self, kernel_number: int) -> int:
        """Memprobe's number; 0 if it has none."""
        return kernel_number if self.is_initial else self._own.get(kernel_number, 0)

    @property
    def known(self) -> set[int]:
        """The kernel's numbers that have been told."""
        return set(self._own)

    def unknown(self, tables: Iterable[Rows]) -> set[int]:
        """The kernel's numbers in these rows that nobody has told yet."""
        if self.is_initial:
            return set()
        found = {
            number
            for table in tables
            for name in ("pid", "tid")
            for number in np.unique(table[name]).tolist()
        }
        return found - self._own.keys()

    def of_processes(self, sent: Rows) -> Rows:
        """Process records as rows: the child's number is memprobe's own."""
        level = sent.view(rows.PROCESS)
        if not self.is_initial and len(level):
            level = self.translated(level, "pid", "tid")
            level["other"] = sent["other_local"]
        return level

    def translated(self, table: Rows, *names: str) -> Rows:
        """The same rows with memprobe's numbers in some columns."""
        if self.is_initial or not len(table):
            return table
        changed = table.copy()
        for name in names:
            numbers, places = np.unique(table[name], return_inverse=True)
            changed[name] = np.array([self.own(int(number)) for number in numbers], "<u4")[places]
        return changed
