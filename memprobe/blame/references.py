"""Who takes references and does not give them back: watchpoints on reference counts, in bursts.

A count moves with every touch, at 10 us each, so it is watched for a few milliseconds at a time. The length
is drawn: a burst that ended after so many changes would end at the same one in a program that has a rhythm.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from memprobe.sources.kernel.watchpoints import Watch, Watchpoints
from memprobe.vocab import Memory

COUNT_BYTES = 4
"""Width of a count as it is watched: its lower half up to 3.13, all of it from 3.14 on."""

MOST_HITS = 2_000
HIT_NS = 10_000
SHORTEST_S, LONGEST_S = 0.005, 0.05
PAUSE_S = 0.05
_LOOK_S = 0.005


@dataclass(slots=True)
class Counted:
    """One object whose count is watched."""

    type: str
    address: int
    unexplained: int
    """References that nothing explains, when it was found."""

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
        count_offset: int,
        budget: float,
        seed: int,
    ) -> None:
        """`budget` is the part of one core that bursts may cost the target."""
        self._watchpoints, self._memory = watchpoints, memory
        self._pid, self._offset = pid, count_offset
        self._random = random.Random(seed)
        self.objects, self._budget = objects, budget
        self.hits = 0
        self._next_s = -math.inf
        self._turn = 0

    def step(self) -> None:
        """Do a burst if it is time for one; raises NoKernelSupport where there are no watchpoints."""
        if time.monotonic() < self._next_s or not self.objects:
            return
        one = self.objects[self._turn % len(self.objects)]
        self._turn += 1
        begin_ns = time.monotonic_ns()
        address = one.address + self._offset
        (content,) = self._memory.read_many([(address, COUNT_BYTES)])
        if len(content) < COUNT_BYTES:
            return  # its memory was given back
        last = int.from_bytes(content, "little")
        watch = self._watchpoints.arm(self._pid, address, width=COUNT_BYTES, limit=MOST_HITS, last=last)
        try:
            self._wait(watch)
        finally:
            self._watchpoints.disarm(watch)
        hits = self._take(one, watch)
        one.watched_ns += time.monotonic_ns() - begin_ns
        self._next_s = time.monotonic() + max(hits * HIT_NS / 1e9 / self._budget, PAUSE_S)

    def _wait(self, watch: Watch) -> None:
        deadline = time.monotonic() + self._random.uniform(SHORTEST_S, LONGEST_S)
        while time.monotonic() < deadline and self._watchpoints.hits(watch).count < MOST_HITS:
            time.sleep(_LOOK_S)

    def _take(self, one: Counted, watch: Watch) -> int:
        changes = self._watchpoints.changes(watch)[watch.number]
        self._watchpoints.forget(watch)
        for change in changes:
            one.taken[change.stack_id] += change.added
            one.returned[change.stack_id] += change.removed
        hits = sum(change.hits for change in changes)
        self.hits += hits
        return hits
