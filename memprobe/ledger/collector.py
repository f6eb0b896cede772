"""What the collector did, by process and generation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from memprobe.vocab.rows import Rows


@dataclass(slots=True)
class Generation:
    """The collections of one generation that were seen."""

    collections: int = 0
    pause_ns: int = 0
    """All of them together."""

    longest_ns: int = 0
    collected: int | None = None
    """Objects, as far as the hook says."""


class CollectorLedger:
    """Collections added up."""

    def __init__(self) -> None:
        self._generations: dict[tuple[int, int], Generation] = {}

    def fold(self, collections: Rows) -> None:
        """Take collections in."""
        keys = np.unique(collections[["pid", "generation"]])
        for pid, number in keys:
            own = collections[(collections["pid"] == pid) & (collections["generation"] == number)]
            self._add(self._generations.setdefault((int(pid), int(number)), Generation()), own)

    def forget(self, has_ended: Callable[[int], bool]) -> None:
        """Forget what was seen of processes that have ended."""
        for key in [key for key in self._generations if has_ended(key[0])]:
            del self._generations[key]

    def generations(self, pid: int) -> dict[int, Generation]:
        """Return what was seen of a process, by generation."""
        return {number: seen for (process, number), seen in self._generations.items() if process == pid}

    def pause_ms(self, pid: int) -> float | None:
        """Return all pauses of a process together; None if no collection was seen."""
        seen = self.generations(pid).values()
        return sum(one.pause_ns for one in seen) / 1e6 if seen else None

    def _add(self, total: Generation, rows: Rows) -> None:
        total.collections += len(rows)
        total.pause_ns += int(rows["duration_ns"].sum())
        total.longest_ns = max(total.longest_ns, int(rows["duration_ns"].max()))
        told = rows["collected"][rows["collected"] >= 0]
        if len(told):
            total.collected = (total.collected or 0) + int(told.sum())
