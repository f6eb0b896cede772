"""What every run of `memprobe blame` has: its budget, and whether the target is still what it was."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from memprobe.errors import TargetGone, TargetIsZombie, TargetReplaced
from memprobe.governor import CHECK_INTERVAL_NS, Calibration, Governor, Limits, LiveGovernor, knobs_of
from memprobe.sources.kernel import KernelOptions, KernelSource
from memprobe.sources.procfs.usage import Usage
from memprobe.target.cpython.python import Python
from memprobe.target.inspection.opening import Opened, opened
from memprobe.target.proc.process import Process
from memprobe.vocab.costs import Metered, SourceCosts
from memprobe.vocab.knobs import Sheddable


@contextmanager
def traced(pid: int) -> Iterator[tuple[Opened, Python, KernelSource]]:
    """Hold a Python process, and the kernel source on it without handles and growth, until the block ends."""
    with opened(pid, patient=True) as target:
        if target.python is None:
            assert target.obstacle is not None
            raise target.obstacle
        kernel = KernelSource(target.process, target.python, KernelOptions(handles=False, growth=False))
        try:
            kernel.start()
            yield target, target.python, kernel
        finally:
            kernel.close()


class Oversight:
    """Keeps the account of a run on one process."""

    def __init__(
        self,
        process: Process,
        metered: Metered,
        max_overhead_pct: float,
        sheddable: Sequence[Sheddable] = (),
    ) -> None:
        self._process = process
        self._governor = Governor(Limits(slowdown_pct=max_overhead_pct), knobs_of(sheddable))
        self._live = LiveGovernor(self._governor, [metered, _Usage(process)], sheddable)
        self.begin_s, self.begin_ns = time.time(), time.monotonic_ns()
        self._due_ns = self.begin_ns
        self.ended: str | None = None
        """What became of the target; None if it is still there."""

        self.check()

    def check(self) -> None:
        """Add up what was spent, and see whether the target is still there; does so when it is time."""
        now_ns = time.monotonic_ns()
        if now_ns >= self._due_ns:
            self._due_ns = now_ns + CHECK_INTERVAL_NS
            self._live.check(now_ns)
            self._see()

    def _see(self) -> None:
        try:
            self._process.check()
        except TargetGone as error:
            what = {TargetReplaced: "it called exec", TargetIsZombie: "its main thread ended"}
            happened = what.get(type(error), "it ended")
            self.ended = f"{happened} {time.time() - self.begin_s:.1f} s after the attach"

    @property
    def elapsed_s(self) -> float:
        """How long the run is."""
        return (time.monotonic_ns() - self.begin_ns) / 1e9

    @property
    def allowed_pct(self) -> float:
        """What the target may lose at present, in percent of a core."""
        return self._governor.allowed_pct

    def learn(self, calibration: Calibration) -> None:
        """Count at these costs from now on."""
        self._governor.calibration = calibration

    @property
    def overhead(self) -> dict[str, object]:
        """What the run has cost, as reports have it."""
        return self._governor.overhead

    @property
    def invisible(self) -> tuple[str, ...]:
        """What was shed, as sentences."""
        return self._governor.invisible


class _Usage:
    """What the target uses by itself: the budget is a share of it."""

    def __init__(self, process: Process) -> None:
        self._process, self._usage = process, Usage()

    def costs(self) -> SourceCosts:
        """The counters at this instant."""
        return self._usage.read([self._process])
