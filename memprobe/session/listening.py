"""What a run on a live process listens to, as far as it can be had: the heap, the kernel, /proc."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memprobe.errors import NoKernelSupport, NotPermitted
from memprobe.governor import Calibrator
from memprobe.heap.source import HeapSource
from memprobe.session.options import Options
from memprobe.sources.procfs import ProcfsOptions, ProcfsSource
from memprobe.target.inspection.opening import Opened
from memprobe.vocab.costs import Metered, ProgramRuns
from memprobe.vocab.knobs import Sheddable
from memprobe.vocab.source import Source

if TYPE_CHECKING:
    from memprobe.blame.births import BirthSource
    from memprobe.blame.source import BlameSource
    from memprobe.sources.kernel import KernelSource

UNSEEN = "Which lines open handles and where memory grows is not seen"

CALIBRATED = "born"
"""The program on the call that the calibrator times."""


class Listening:
    """The sources of a run."""

    def __init__(self, target: Opened, options: Options, calibrator: Calibrator) -> None:
        self._target, self._options, self._calibrator = target, options, calibrator
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
            # First: what it forks inherits no descriptor of a BPF program then.
            self.heap = HeapSource(self._target.process.id)
            self.all.append(self.heap)
            self.heap.start()
        self.kernel = self._started_kernel()
        if self.kernel is not None:
            self._start_blame(self.kernel)
            self._start_births(self.kernel)
            self.all.append(self.kernel)
        options = ProcfsOptions(tree=self._options.tree, reports_processes=self.kernel is None)
        self.procfs = ProcfsSource(self._target.process, self._target.python, options)
        self.procfs.start()
        self.all.append(self.procfs)
        self.tier = max(source.tier for source in self.all)

    def _started_kernel(self) -> KernelSource | None:
        """The kernel source; None where it cannot be had, which is then said."""
        try:
            from memprobe.sources.kernel import KernelOptions, KernelSource
        except ImportError as error:
            self.invisible.append(
                f"Nothing was asked of the kernel: memprobe was built without BPF ({error})."
            )
            return None
        options = KernelOptions(tree=self._options.tree, seed=self._options.seed)
        source = KernelSource(self._target.process, self._target.python, options)
        self._calibrator.before()
        try:
            source.start()
        except (NotPermitted, NoKernelSupport) as error:
            self.invisible.append(f"{UNSEEN}: {error.line}.")
            return None
        self._calibrator.after(lambda: _program(source.costs().programs))
        return source

    def _start_blame(self, kernel: KernelSource) -> None:
        """Be ready to watch who fills what grows; it ends before the source that its programs belong to."""
        from memprobe.blame.source import BlameSource
        from memprobe.session.pricing import watch_hit_ns

        if self.heap is not None:
            self.blame = BlameSource(
                kernel.watchpoints,
                self.heap.size_of,
                budget_pct=0.0,
                seed=self._options.seed,
                price=lambda: watch_hit_ns(kernel, self._calibrator),
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
                seed=self._options.seed,
            )
            self.births = BirthSource(sampling)
            self.births.start()
            self.all.append(self.births)


def _program(programs: Sequence[ProgramRuns]) -> ProgramRuns:
    return next(program for program in programs if program.name == CALIBRATED)
