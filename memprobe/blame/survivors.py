"""Where survivors are born: bursts of full tracing under a budget, and looks at what became of the blocks.

The arithmetic, and what it cannot do, is in README.md beside this.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memprobe.blame.candidates import Candidates
from memprobe.blame.identity import Identities
from memprobe.errors import TargetGone
from memprobe.models.survivors import Share, share_of
from memprobe.sources.kernel.births import Births
from memprobe.target.cpython.pools import CLASS_BYTES, SIZE_CLASSES, Blocks, blocks_in_use, look_at
from memprobe.target.cpython.python import Python
from memprobe.target.proc.mappings import read_mappings
from memprobe.target.proc.process import Process
from memprobe.vocab.rows import Rows

BURST_S = 0.25
"""A burst is not longer, however few births there are."""

BURST_BIRTHS = 3_000
"""Nor has it more of them: at 4 us each they hold the target up for 12 ms."""

SHORTEST_PAUSE_NS = 200_000_000
"""Between two bursts, however cheap they are: an uprobe takes memprobe 0.3 ms to attach and to detach."""

ENOUGH = 2_000
"""With so many survivors shares are known within 2 points, and no more bursts are made."""

LEAST_PCT = 0.001
"""What a burst may cost on average at least; whoever wants none does not ask for any."""

HORIZON_S = 10.0
"""How old a block is that has survived."""

LOOK_NS = 250_000_000
"""Between two looks at the blocks that are followed."""

MEASURE_NS = 2_000_000_000
"""Between two looks at how the size classes grow: of a large heap each reads 65,536 headers."""


@dataclass(frozen=True, slots=True)
class Survivors:
    """What one stack has made of one type that stays."""

    stack_id: int

    type: str
    """"" for memory that is no object: tables of dicts, buffers."""

    caught: int
    """Survivors among the blocks that were traced."""

    per_s: Share
    """Survivors a second; 0 where their size class does not grow."""

    bytes_per_s: Share


class SurvivorSampling:
    """Samples the births of one process; the caller asks it to step now and then."""

    def __init__(
        self,
        births: Births,
        process: Process,
        python: Python,
        *,
        budget_pct: float,
        seed: int = 0,
        horizon_s: float = HORIZON_S,
    ) -> None:
        """Prepare to sample; `budget_pct` see `afford`."""
        self.afford(budget_pct)
        self._births, self._process, self._python = births, process, python
        self._random = random.Random(seed)
        self._identities = Identities(python.objects)
        self._horizon_ns = int(horizon_s * 1e9)
        self._candidates = self._no_candidates()
        self._before: npt.NDArray[np.int64] = np.zeros(SIZE_CLASSES, np.int64)
        self._grown_per_s = np.zeros(SIZE_CLASSES)
        self._began_ns = self._next_burst_ns = self._next_look_ns = self._next_measure_ns = 0
        self.births = 0
        """How many births were traced."""

    def prepare(self) -> bool:
        """Find out where to attach, half a second long; False if that is not possible (`reason` says why)."""
        return self._births.prepare()

    @property
    def reason(self) -> str:
        """Why there is nothing to be had."""
        return self._births.reason

    def afford(self, budget_pct: float) -> None:
        """Say what bursts may cost the target from now on, in percent of a core."""
        self._budget = max(budget_pct, LEAST_PCT) / 100

    def begin(self, now_ns: int) -> None:
        """Count from now on; what was caught before is of another time."""
        self._candidates = self._no_candidates()
        self._before = self._in_use()
        self._began_ns = self._next_burst_ns = self._next_look_ns = now_ns
        self._next_measure_ns = now_ns + MEASURE_NS

    def _no_candidates(self) -> Candidates:
        return Candidates(self._look_at, self._identities.of, self._horizon_ns)

    @property
    def bursts(self) -> int:
        """How many there were."""
        return self._candidates.bursts

    def step(self, now_ns: int) -> None:
        """Do what is due: a look, a burst; raises TargetGone, and NoKernelSupport if no burst is possible."""
        if now_ns >= self._next_look_ns:
            self._next_look_ns = now_ns + LOOK_NS
            self._candidates.look(now_ns)
        if now_ns >= self._next_measure_ns:
            self._measure(now_ns)
        if now_ns >= self._next_burst_ns and len(self._candidates.survivors) < ENOUGH:
            self._burst()

    def _burst(self) -> None:
        burst = self._births.burst(BURST_BIRTHS, BURST_S)
        self.births += len(burst.births)
        self._candidates.add(burst.births)
        # At random, so that what the target does in a rhythm is not met in one phase only.
        pause_ns = max(burst.cost_ns / self._budget, SHORTEST_PAUSE_NS)
        self._next_burst_ns = burst.end_ns + int(pause_ns * self._random.uniform(0.5, 1.5))

    def _measure(self, now_ns: int) -> None:
        """See by how many blocks each size class has grown."""
        self._next_measure_ns = now_ns + MEASURE_NS
        grown = np.maximum(self._in_use() - self._before, 0)
        self._grown_per_s = grown / (max(now_ns - self._began_ns, 1) / 1e9)

    def result(self, now_ns: int) -> list[Survivors]:
        """What has survived so far, by stack and type; what grows fastest comes first."""
        with suppress(TargetGone):  # then it is as it was measured last
            self._measure(now_ns)
        survivors = self._candidates.survivors
        found = [self._of(survivors, key, self._grown_per_s) for key in _keys(survivors)]
        return sorted(found, key=lambda one: (one.bytes_per_s.best, one.caught), reverse=True)

    def _of(self, survivors: Rows, key: tuple[int, int], growth: npt.NDArray[np.float64]) -> Survivors:
        own = (survivors["stack_id"] == key[0]) & (survivors["type"] == key[1])
        blocks, bytes_ = np.zeros(3), np.zeros(3)
        for size_class in np.unique(survivors["size_class"][own]).tolist():
            of_class = survivors["size_class"] == size_class
            share = share_of(self._by_burst(survivors[own & of_class]), self._by_burst(survivors[of_class]))
            rate = np.array([share.low, share.best, share.high]) * growth[size_class]
            blocks += rate
            bytes_ += rate * (size_class + 1) * CLASS_BYTES
        return Survivors(
            key[0], self._identities.name(key[1]), int(own.sum()), Share(*blocks), Share(*bytes_)
        )

    def _by_burst(self, survivors: Rows) -> npt.NDArray[np.int64]:
        return np.bincount(survivors["burst"], minlength=self.bursts)

    def _in_use(self) -> npt.NDArray[np.int64]:
        arenas, _ = self._python.locate_arenas(read_mappings(self._process))
        return blocks_in_use(self._python.objects.memory, arenas, self._births.pool_bytes)

    def _look_at(self, addresses: npt.NDArray[np.uint64], classes: npt.NDArray[np.int64]) -> Blocks:
        return look_at(self._python.objects.memory, addresses, classes, self._births.pool_bytes)


def _keys(survivors: Rows) -> list[tuple[int, int]]:
    return sorted(set(zip(survivors["stack_id"].tolist(), survivors["type"].tolist(), strict=True)))
