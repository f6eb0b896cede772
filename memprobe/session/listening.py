"""What a run on a live process listens to, as far as it can be had: the heap, the kernel, /proc."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memprobe.config import Config
from memprobe.heap.looker.pace import NS, Pace
from memprobe.heap.source import HeapSource
from memprobe.session.arming import Armed
from memprobe.sources.procfs import ProcfsOptions, ProcfsSource
from memprobe.target.inspection.opening import Opened
from memprobe.target.proc.process import Process
from memprobe.vocab.costs import Metered
from memprobe.vocab.knobs import Sheddable
from memprobe.vocab.source import Source

if TYPE_CHECKING:
    from memprobe.blame.births import BirthSource
    from memprobe.blame.source import BlameSource
    from memprobe.sources.kernel import KernelSource


class Listening:
    """The sources of a run."""

    def __init__(
        self, target: Opened, root: Process, config: Config, armed: Armed | None, *, with_keys: bool = False
    ) -> None:
        """Prepare to listen to a target; `root` is the process that it ends with."""
        self._with_keys = with_keys
        self._target, self._root, self._config, self._armed = target, root, config, armed
        self.all: list[Source] = []
        """In the order in which they are to be closed."""

        self.kernel: KernelSource | None = None
        self.heap: HeapSource | None = None
        self.blame: BlameSource | None = None
        self.births: BirthSource | None = None
        self.tier = 0
        """The highest that was reached."""

        self.invisible: list[str] = []
        """Why some are missing."""

    @property
    def sheddable(self) -> list[Sheddable]:
        """Those that can do less."""
        return [source for source in self.all if isinstance(source, Sheddable)]

    @property
    def metered(self) -> list[Metered]:
        """Those that know what they cost."""
        return [source for source in self.all if isinstance(source, Metered)]

    def start(self) -> None:
        """Attach what can be attached; without BPF /proc alone is polled."""
        if self._target.python is not None:
            pace = looks_of(self._config)
            self.heap = HeapSource(self._target.process.id, pace, with_keys=self._with_keys)
            self.all.append(self.heap)
            self.heap.start()
        # After the heap: what that forks inherits no descriptor of a BPF program then.
        self.armed = self._armed or Armed(self._target.process, self._target.python, self._config)
        self.invisible = self.armed.invisible
        self.kernel = self.armed.kernel
        if self.kernel is not None:
            self._start_blame(self.kernel)
            self._start_births(self.kernel)
            self.all.append(self.kernel)
        options = ProcfsOptions(
            tree=self._config.run.tree,
            reports_processes=self.kernel is None,
            picture_interval_s=self._config.intervals.picture_s,
        )
        self.procfs = ProcfsSource(self._root, None, options)
        self.procfs.start()
        self.procfs.set_python(self._target.process.pid, self._target.python)
        self.all.append(self.procfs)
        self.tier = max(source.tier for source in self.all)

    def follow(self, target: Opened) -> None:
        """Take another process for the target."""
        if self.heap is not None:
            self.heap.set_main(target.process.id)
        self.procfs.set_python(target.process.pid, target.python)

    def _start_blame(self, kernel: KernelSource) -> None:
        """Be ready to watch who fills what grows; it ends before the source that its programs belong to."""
        from memprobe.blame.source import BlameSource
        from memprobe.session.pricing import watch_hit_ns

        if self.heap is not None:
            self.blame = BlameSource(
                kernel.watchpoints,
                self.heap.size_of,
                budget_pct=0.0,
                seed=self._config.sampling.seed,
                price=lambda: watch_hit_ns(kernel, self.armed.calibrator),
            )
            self.blame.start()
            self.all.append(self.blame)

    def _start_births(self, kernel: KernelSource) -> None:
        """Be ready to trace in bursts where objects are made that no collection explains."""
        from memprobe.blame.births import BirthSource
        from memprobe.blame.survivors import SurvivorSampling

        if kernel.births is not None and self._target.python is not None:
            sampling = SurvivorSampling(
                kernel.births,
                self._target.process,
                self._target.python,
                budget_pct=0.0,
                seed=self._config.sampling.seed,
            )
            self.births = BirthSource(sampling)
            self.births.start()
            self.all.append(self.births)


def looks_of(config: Config) -> Pace:
    """Return when heaps are looked at."""
    intervals = config.intervals
    return Pace(
        share=config.budget.heap_pct / 100,
        rest_ns=int(intervals.heap_early_s * NS),
        pause_ns=int(intervals.heap_s * NS),
    )
