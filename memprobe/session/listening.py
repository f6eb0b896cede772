"""What a run on a live process listens to, as far as it can be had: the heap, the kernel, /proc."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memprobe.heap.source import HeapSource
from memprobe.session.arming import Armed
from memprobe.session.options import Options
from memprobe.sources.procfs import ProcfsOptions, ProcfsSource
from memprobe.target.inspection.opening import Opened
from memprobe.target.proc.process import Process
from memprobe.vocab.costs import Metered
from memprobe.vocab.knobs import Sheddable
from memprobe.vocab.source import Source

if TYPE_CHECKING:
    from memprobe.blame.source import BlameSource
    from memprobe.sources.kernel import KernelSource


class Listening:
    """The sources of a run."""

    def __init__(self, target: Opened, root: Process, options: Options, armed: Armed | None) -> None:
        """Prepare to listen to a target; `root` is the process that it ends with."""
        self._target, self._root, self._options, self._armed = target, root, options, armed
        self.all: list[Source] = []
        """In the order in which they are to be closed."""

        self.kernel: KernelSource | None = None
        self.heap: HeapSource | None = None
        self.blame: BlameSource | None = None
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
            self.heap = HeapSource(self._target.process.id)
            self.all.append(self.heap)
            self.heap.start()
        # After the heap: what that forks inherits no descriptor of a BPF program then.
        self.armed = self._armed or Armed(self._target.process, self._target.python, self._options)
        self.invisible = self.armed.invisible
        self.kernel = self.armed.kernel
        if self.kernel is not None:
            self._start_blame(self.kernel)
            self.all.append(self.kernel)
        options = ProcfsOptions(tree=self._options.tree, reports_processes=self.kernel is None)
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

        if self.heap is not None:
            self.blame = BlameSource(
                kernel.watchpoints,
                self.heap.size_of,
                budget_pct=0.0,
                seed=self._options.seed,
            )
            self.blame.start()
            self.all.append(self.blame)
