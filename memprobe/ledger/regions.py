"""Address spaces: how they were at the first look, and how they are now."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from memprobe.vocab.rows import Rows

MAX_PROCESSES = 64
"""Of more, those that come later are not kept: the map of a report is that of its process."""


class Regions:
    """The first and the newest picture of every address space."""

    def __init__(self) -> None:
        self._first: dict[int, Rows] = {}
        self._last: dict[int, Rows] = {}

    def fold(self, rows: Rows) -> None:
        """Take in what was seen."""
        for pid in np.unique(rows["pid"]).tolist():
            picture = rows[rows["pid"] == pid]
            if pid in self._first or len(self._first) < MAX_PROCESSES:
                self._first.setdefault(pid, picture)
                self._last[pid] = picture

    def forget(self, is_gone: Callable[[int], bool]) -> None:
        """Forget the address spaces of programs that are gone."""
        for pid in [pid for pid in self._first if is_gone(pid)]:
            del self._first[pid], self._last[pid]

    def newest(self, pid: int) -> Rows | None:
        """Return the newest REGION rows of a process; None if there are none."""
        return self._last.get(pid)

    def grown_bytes(self, pid: int) -> list[int]:
        """Return by how much the use of each region of `newest` has grown; a new one has grown by all."""
        last, first = self._last.get(pid), self._first.get(pid)
        if last is None or first is None:
            return []
        before = dict(zip(first["start"].tolist(), first["used_bytes"].tolist(), strict=True))
        starts, used = last["start"].tolist(), last["used_bytes"].tolist()
        return [now - before.get(start, 0) for start, now in zip(starts, used, strict=True)]
