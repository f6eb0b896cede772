"""A run that finds out where what survives is born: bursts on one process, and looks at what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict

from memprobe.blame.survivors import SurvivorSampling
from memprobe.errors import NoKernelSupport
from memprobe.sources.kernel import KernelOptions, KernelSource
from memprobe.target.inspection.evidence import iso
from memprobe.target.inspection.opening import Opened, opened
from memprobe.views.births_report import Births, Born
from memprobe.vocab import Stack

TICK_S = 0.05


class Surviving:
    """A run on one process."""

    def __init__(self, target: Opened, kernel: KernelSource, sampling: SurvivorSampling) -> None:
        self._target, self._kernel, self._sampling = target, kernel, sampling
        self._stacks: dict[int, Stack] = {}
        self._begin_s, self._begin_ns = time.time(), time.monotonic_ns()
        self._ended: str | None = None

    def run(self, go_on: Callable[[], bool], watch: Callable[[Births], None]) -> None:
        """Sample until `go_on` says no or the target ends."""
        self._sampling.begin(self._begin_ns)
        while go_on() and self._ended is None:
            if self._target.process.has_ended():
                self._ended = f"it ended {time.time() - self._begin_s:.1f} s after the attach"
                break
            self._sampling.step(time.monotonic_ns())
            batch = self._kernel.poll()
            self._stacks |= {} if batch is None else batch.stacks
            watch(self.report())
            time.sleep(TICK_S)

    def report(self) -> Births:
        """What is known so far."""
        elapsed_ns = max(time.monotonic_ns() - self._begin_ns, 1)
        return Births(
            created_at=iso(self._begin_s),
            target=asdict(self._target.facts) | {"tier": self._kernel.tier, "ended": self._ended},
            duration_s=elapsed_ns / 1e9,
            slowdown_pct=self._sampling.cost_ns / elapsed_ns * 100,
            traced=self._sampling.births,
            bursts=self._sampling.bursts,
            invisible=self._kernel.invisible,
            survivors=tuple(
                Born(one.type, self._stacks.get(one.stack_id), one.caught, one.per_s, one.bytes_per_s)
                for one in self._sampling.latest
            ),
        )


@contextmanager
def surviving(pid: int, max_overhead_pct: float, seed: int) -> Iterator[Surviving]:
    """Take hold of a process until the block ends; raise NoKernelSupport if its births cannot be traced."""
    with ExitStack() as held:
        target = held.enter_context(opened(pid))
        if target.python is None:
            assert target.obstacle is not None
            raise target.obstacle
        kernel = KernelSource(target.process, target.python, KernelOptions(handles=False, growth=False))
        held.callback(kernel.close)
        kernel.start()
        assert kernel.births is not None
        budget = max_overhead_pct / 100
        sampling = SurvivorSampling(kernel.births, target.process, target.python, budget=budget, seed=seed)
        if not sampling.prepare():
            raise NoKernelSupport(f"births cannot be traced: {sampling.reason}")
        yield Surviving(target, kernel, sampling)
