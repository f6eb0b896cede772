"""Who takes references and does not give them back: watchpoints on reference counts, in bursts.

A count moves with every touch, and each traps, so it is watched for a few milliseconds at a time. The length
is drawn: a burst that ended after so many changes would end at the same one in a program that has a rhythm.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from memprobe.blame.turns import HIT_NS
from memprobe.sources.kernel.watchpoints import RegistersTaken, Watch, Watchpoints
from memprobe.vocab import Memory

COUNT_BYTES = 4
"""Width of a count as it is watched: its lower half up to 3.13, all of it from 3.14 on."""

MOST_HITS = 2_000
SHORTEST_S, LONGEST_S = 0.005, 0.05
PAUSE_S = 0.05
RETRY_S = 5.0
"""Registers that another tool has taken meanwhile are asked for again after this time."""

_LOOK_S = 0.005
_POINTER_BYTES = 8


@dataclass(slots=True)
class Counted:
    """One object whose count is watched."""

    type: str
    address: int
    unexplained: int
    """References that nothing explains, when it was found."""

    type_address: int
    """By which it is known that it still is there."""

    taken: Counter[int] = field(default_factory=Counter)
    returned: Counter[int] = field(default_factory=Counter)
    watched_ns: int = 0


class References:
    """Watches some objects of one process, in bursts under a budget."""

    def __init__(
        self,
        watchpoints: Watchpoints,
        memory: Memory,
        pid: int,
        objects: list[Counted],
        *,
        offsets: tuple[int, int],
        budget_pct: float,
        seed: int,
    ) -> None:
        """Prepare to watch; `offsets` of an object's count and type, `budget_pct` see `afford`."""
        self.afford(budget_pct)
        self._watchpoints, self._memory = watchpoints, memory
        self._pid = pid
        self._offset, self._type_offset = offsets
        self._random = random.Random(seed)
        self.objects = objects
        self._next_s = -math.inf
        self._turn = 0

    def afford(self, budget_pct: float) -> None:
        """Say what bursts may cost the target from now on, in percent of a core."""
        self._budget = budget_pct / 100

    def step(self) -> None:
        """Do a burst if it is time for one.

        Raises NoKernelSupport where there are no watchpoints, and TargetGone.
        """
        if time.monotonic() < self._next_s or not self.objects:
            return
        one = self.objects[self._turn % len(self.objects)]
        self._turn += 1
        begin_ns = time.monotonic_ns()
        last = self._count(one)
        if last is None:
            return
        try:
            hits = self._burst(one, last)
        except RegistersTaken:
            if not any(each.watched_ns for each in self.objects):
                raise
            self._next_s = time.monotonic() + RETRY_S
            return
        one.watched_ns += time.monotonic_ns() - begin_ns
        self._next_s = time.monotonic() + max(hits * HIT_NS / 1e9 / self._budget, PAUSE_S)

    def _count(self, one: Counted) -> int | None:
        """The count of an object; None if it is not there any more."""
        asked = [(one.address + self._offset, COUNT_BYTES), (one.address + self._type_offset, _POINTER_BYTES)]
        count, kind = self._memory.read_many(asked)
        is_there = len(count) == COUNT_BYTES and int.from_bytes(kind, "little") == one.type_address
        return int.from_bytes(count, "little") if is_there else None

    def _burst(self, one: Counted, last: int) -> int:
        """Watch for a moment; return how often the target was trapped."""
        address = one.address + self._offset
        watch = self._watchpoints.arm(self._pid, address, width=COUNT_BYTES, limit=MOST_HITS, last=last)
        try:
            self._wait(watch)
        except BaseException:
            self._watchpoints.drop(watch)
            raise
        self._watchpoints.disarm(watch)
        hits = self._watchpoints.hits(watch).count
        self._take(one, watch)
        return hits

    def _wait(self, watch: Watch) -> None:
        deadline = time.monotonic() + self._random.uniform(SHORTEST_S, LONGEST_S)
        while time.monotonic() < deadline and self._watchpoints.hits(watch).count < MOST_HITS:
            time.sleep(_LOOK_S)

    def _take(self, one: Counted, watch: Watch) -> None:
        changes = self._watchpoints.changes(watch)[watch.number]
        self._watchpoints.forget(watch)
        if self._count(one) is None:
            return  # it may have been another's count
        for change in changes:
            one.taken[change.stack_id] += change.added
            one.returned[change.stack_id] += change.removed
