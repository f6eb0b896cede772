"""Context switches of threads that a watchpoint is armed in: each is slower by what the registers take."""

from __future__ import annotations

from collections.abc import Iterable

from memprobe.errors import MemprobeError
from memprobe.sources.kernel.followed import Followed

MOST_THREADS = 64
"""Threads of a process that are asked, some 10 us each; of more the first speak for all."""


class Switches:
    """A count that goes on only while something is armed."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._total = 0.0

    def count(self, armed: Iterable[Followed]) -> int:
        """Add what there was since the last call in the processes that were armed then and are now."""
        now: dict[int, int] = {}
        for one in armed:
            tids = _threads(one)
            asked = {tid: _timeslices(one, tid) for tid in tids[:MOST_THREADS]}
            share = len(asked) / len(tids) if tids else 1.0
            more = (count - self._last[tid] for tid, count in asked.items() if tid in self._last)
            self._total += sum(each for each in more if each > 0) / share
            now |= {tid: count for tid, count in asked.items() if count}
        self._last = now
        return round(self._total)


def _threads(one: Followed) -> list[int]:
    try:
        return one.tids()
    except (MemprobeError, OSError):
        return []


def _timeslices(one: Followed, tid: int) -> int:
    """How often a thread was given a processor; 0 if it has ended, or the kernel does not count that."""
    try:
        assert one.process is not None
        return int(one.process.folder.read(f"task/{tid}/schedstat", 256).split()[2])
    except (MemprobeError, OSError, ValueError, IndexError):
        return 0
