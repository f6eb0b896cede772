"""The engine of a run: attached to a process that is there, or before a program begins."""

from __future__ import annotations

import time

from memprobe.config import Config
from memprobe.governor import Calibrator
from memprobe.session.engines import started_engine
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import Metered, ProgramRuns

CALIBRATED = "born"
"""The program on the call that the calibrator times."""

MOST_ROWS = 1 << 18
"""What is told of a program in which no Python appears is kept up to so many rows, 30 MB."""


class Armed:
    """The engine, if there is one beside /proc, and what it has told so far."""

    def __init__(self, process: Process, python: Python | None, config: Config) -> None:
        self.calibrator = Calibrator()
        self._told: list[Batch] = []
        self._rows = 0
        self.calibrator.before()
        self.choice = started_engine(process, python, config)
        self.engine = self.choice.engine
        _calibrate(self.calibrator, self.engine)
        self.begun = time.time(), time.monotonic_ns()
        """When all was ready: by the calendar, and CLOCK_MONOTONIC."""

    @property
    def knows_python(self) -> bool:
        """Whether it takes stacks by now; without it there is nothing to wait for."""
        return self.engine is None or self.engine.knows_python

    def gather(self) -> None:
        """Keep what there is to tell for who takes over; too much of it is dropped."""
        batch = None if self.engine is None else self.engine.poll()
        if batch is None or self.engine is None:
            return
        self._told.append(batch)
        self._rows += len(batch.births) + len(batch.deaths) + len(batch.growth) + 1
        if self._rows > MOST_ROWS:
            self._told, self._rows = [], 0
            self.engine.settle()  # what is open then is in the next batch

    def take(self) -> list[Batch]:
        """Return what was kept."""
        told, self._told = self._told, []
        return told

    def wait(self, seconds: float) -> bool:
        """Wait until its programs call, but not longer; return whether they did."""
        if self.engine is not None:
            return self.engine.wait(seconds)
        time.sleep(seconds)
        return False

    def close(self) -> None:
        """Leave nothing behind. May be called twice."""
        if self.engine is not None:
            self.engine.close()


def _calibrate(calibrator: Calibrator, engine: object) -> None:
    """Measure what its programs cost, if it is made of programs."""
    if not isinstance(engine, Metered):
        return
    if any(program.name == CALIBRATED for program in engine.costs().programs):
        calibrator.after(lambda: _program(engine))


def _program(engine: Metered) -> ProgramRuns:
    return next(program for program in engine.costs().programs if program.name == CALIBRATED)
