"""The kernel's programs for a run: attached to a process that is there, or before a program begins."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from memprobe.config import Config
from memprobe.errors import NoKernelSupport, NotPermitted
from memprobe.governor import Calibrator
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import ProgramRuns

if TYPE_CHECKING:
    from memprobe.sources.kernel import KernelSource

UNSEEN = "Which lines open handles and where memory grows is not seen"

CALIBRATED = "born"
"""The program on the call that the calibrator times."""

MOST_ROWS = 1 << 18
"""What is told of a program in which no Python appears is kept up to so many rows, 30 MB."""


class Armed:
    """The kernel source, as far as it can be had, and what it has told so far."""

    def __init__(self, process: Process, python: Python | None, config: Config) -> None:
        self.calibrator = Calibrator()
        self.invisible: list[str] = []
        """Why there is none."""

        self._told: list[Batch] = []
        self._rows = 0
        self.kernel = self._started(process, python, config)
        self.begun = time.time(), time.monotonic_ns()
        """When all was ready: by the calendar, and CLOCK_MONOTONIC."""

    def _started(self, process: Process, python: Python | None, config: Config) -> KernelSource | None:
        try:
            from memprobe.sources.kernel import KernelOptions, KernelSource, Settings
        except ImportError as error:
            self.invisible.append(
                f"Nothing was asked of the kernel: memprobe was built without BPF ({error})."
            )
            return None
        sampling = config.sampling
        settings = Settings(stack_every=sampling.stack_every, growth_pages=sampling.growth_pages)
        options = KernelOptions(tree=config.run.tree, seed=sampling.seed, settings=settings)
        source = KernelSource(process, python, options)
        self.calibrator.before()
        try:
            source.start()
        except (NotPermitted, NoKernelSupport) as error:
            self.invisible.append(f"{UNSEEN}: {error.line}.")
            return None
        self.calibrator.after(lambda: _program(source.costs().programs))
        return source

    @property
    def knows_python(self) -> bool:
        """Whether the kernel takes stacks by now; without it there is nothing to wait for."""
        return self.kernel is None or self.kernel.knows_python

    def gather(self) -> None:
        """Keep what the kernel has to tell for who takes over; too much of it is dropped."""
        batch = None if self.kernel is None else self.kernel.poll()
        if batch is None or self.kernel is None:
            return
        self._told.append(batch)
        self._rows += len(batch.births) + len(batch.deaths) + len(batch.growth) + 1
        if self._rows > MOST_ROWS:
            self._told, self._rows = [], 0
            self.kernel.settle()  # what is open then is in the next batch

    def take(self) -> list[Batch]:
        """Return what was kept."""
        told, self._told = self._told, []
        return told

    def wait(self, seconds: float) -> None:
        """Wait until there is something to gather, but not longer."""
        if self.kernel is None:
            time.sleep(seconds)
        else:
            self.kernel.wait(seconds)

    def close(self) -> None:
        """Take everything out of the kernel. May be called twice."""
        if self.kernel is not None:
            self.kernel.close()


def _program(programs: Sequence[ProgramRuns]) -> ProgramRuns:
    return next(program for program in programs if program.name == CALIBRATED)
