"""What watches speak for, told by registers that nobody has."""

from __future__ import annotations

import time
from typing import cast

import pytest

from memprobe.blame.source import BlameSource
from memprobe.heap.looker.lengths import Size
from memprobe.sources.kernel.watchpoints import Hits, Watch, Watchpoints
from memprobe.vocab.bursts import Change

KEY = 7, 3
MS, SECOND = 1_000_000, 1_000_000_000
HITS = 24


class Registers:
    """The container is changed 24 times within a millisecond whenever it is watched."""

    now_ns = 100 * SECOND

    def monotonic_ns(self) -> int:
        return self.now_ns

    def arm(self, pid: int, address: int, *, limit: int, last: int) -> Watch:
        return Watch(1, pid, pid, address, 8, limit)

    def hits(self, watch: Watch) -> Hits:
        return Hits(HITS, self.now_ns - MS, self.now_ns, 100)

    def changes(self, watch: Watch) -> dict[int, list[Change]]:
        return {watch.number: [Change(5, HITS, 0, HITS)]}

    def disarm(self, watch: Watch) -> None:
        pass

    forget = drop = disarm


def watched(source: BlameSource, registers: Registers, seconds: float) -> list[int]:
    """The times that the watches speak for which end within so long."""
    told = []
    for _ in range(round(seconds * 10)):
        registers.now_ns += SECOND // 10
        batch = source.poll()
        assert batch is not None
        told += batch.watches["stands_for_ns"].tolist()
    return told


def test_who_comes_back_after_an_hour_speaks_for_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    registers = Registers()
    monkeypatch.setattr(time, "monotonic_ns", registers.monotonic_ns)
    watchpoints = cast(Watchpoints, registers)
    source = BlameSource(watchpoints, lambda *key: Size(0x1010, 100, 0x20), budget_pct=10.0)
    source.start()
    source.wish([KEY])
    first, *later = watched(source, registers, 2)
    assert first == MS
    assert later
    assert set(later) <= {SECOND // 10, 2 * SECOND // 10}
    source.wish([])
    watched(source, registers, 1)
    registers.now_ns += 3600 * SECOND
    source.wish([KEY])
    again, *later = watched(source, registers, 2)
    assert again == MS
    assert max(later) <= 2 * SECOND // 10
