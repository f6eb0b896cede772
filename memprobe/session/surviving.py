"""A run that finds out where what survives is born: bursts on one process, and looks at what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict

from memprobe.blame.survivors import SurvivorSampling
from memprobe.errors import NoKernelSupport, TargetGone
from memprobe.session.oversight import Oversight, traced
from memprobe.sources.kernel import KernelSource
from memprobe.target.inspection.evidence import iso
from memprobe.target.inspection.opening import Opened
from memprobe.views.births_report import Births, Born
from memprobe.vocab import Stack

TICK_S = 0.05


class Surviving:
    """A run on one process."""

    def __init__(
        self, target: Opened, kernel: KernelSource, sampling: SurvivorSampling, oversight: Oversight
    ) -> None:
        self._target, self._kernel, self._sampling = target, kernel, sampling
        self._oversight = oversight
        self._stacks: dict[int, Stack] = {}

    def run(self, go_on: Callable[[], bool], watch: Callable[[Surviving], None]) -> None:
        """Sample until `go_on` says no or the target ends; `watch` is called at every tick."""
        with suppress(TargetGone):
            self._sampling.begin(time.monotonic_ns())
        while go_on() and self._oversight.ended is None:
            self._tick()
            watch(self)
            time.sleep(TICK_S)

    def _tick(self) -> None:
        self._oversight.check()
        self._sampling.afford(self._oversight.allowed_pct)
        with suppress(TargetGone):  # the next check says so
            self._sampling.step(time.monotonic_ns())
        batch = self._kernel.poll()
        self._stacks |= {} if batch is None else batch.stacks

    def report(self) -> Births:
        """What is known so far."""
        oversight = self._oversight
        return Births(
            created_at=iso(oversight.begin_s),
            target=asdict(self._target.facts) | {"tier": self._kernel.tier, "ended": oversight.ended},
            duration_s=oversight.elapsed_s,
            overhead=oversight.overhead,
            traced=self._sampling.births,
            bursts=self._sampling.bursts,
            invisible=self._kernel.invisible,
            survivors=tuple(
                Born(one.type, self._stacks.get(one.stack_id), one.caught, one.per_s, one.bytes_per_s)
                for one in self._sampling.result(time.monotonic_ns())
            ),
        )


@contextmanager
def surviving(pid: int, max_overhead_pct: float, seed: int) -> Iterator[Surviving]:
    """Take hold of a process until the block ends; raise NoKernelSupport if its births cannot be traced."""
    with traced(pid) as (target, python, kernel):
        assert kernel.births is not None
        oversight = Oversight(target.process, kernel, max_overhead_pct)
        sampling = SurvivorSampling(
            kernel.births, target.process, python, budget_pct=oversight.allowed_pct, seed=seed
        )
        if not sampling.prepare():
            raise NoKernelSupport(f"births cannot be traced: {sampling.reason}")
        yield Surviving(target, kernel, sampling, oversight)
