"""A program that memprobe has started: the process it ends with, and the Python that a report is about.

That is the process itself, or its child (a shell that starts Python), or one after the other.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace

from memprobe.abi import ProcessHow
from memprobe.errors import (
    LayoutCheckFailed,
    MemprobeError,
    NotPython,
    ReadFault,
    TargetGone,
    TargetReplaced,
    TargetUnsupported,
)
from memprobe.sources.procfs.children import Children, open_child
from memprobe.target.inspection.opening import Opened, opened
from memprobe.target.proc.process import Process, open_process
from memprobe.vocab.batch import Batch
from memprobe.vocab.rows import PROCESS, no_rows

NAME = "program"
"""The source of what is told of its processes here."""

ATTEMPTS_S = (0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 10.0, 30.0)
"""How long after its begin a process is looked at for a Python; an attempt takes 1 to 2 ms.

The last ones are for a machine on which a Python needs so long to begin.
"""

SHORT_S, LONG_S = 0.005, 0.05
"""Pauses between two looks: while a process is young, and later."""

YOUNG_S = 0.2
"""So long a process may be about to start a Python."""

MOST_PROCESSES = 256
"""So many are looked at for the Python to report on; more are followed all the same."""


class Program:
    """A started program, held until it is closed."""

    def __init__(self, pid: int) -> None:
        """Take hold of a process; raises a leaf of TargetGone if it has ended."""
        self.root = open_process(pid)
        """The program ends with it."""

        self._candidates = {pid: _Candidate(open_process(pid))}
        self._held: ExitStack | None = None
        self._target: Opened | None = None
        self._kept_back = no_rows(PROCESS)
        self.refused: TargetUnsupported | None = None
        """What is wrong with a Python that was seen."""

    def close(self) -> None:
        """Let go of all."""
        for one in self._candidates.values():
            one.process.close()
        self._candidates.clear()
        if self._held is not None:
            self._held.close()
        self.root.close()

    @property
    def pause_s(self) -> float:
        """When to look again."""
        return SHORT_S if any(one.is_young for one in self._candidates.values()) else LONG_S

    def find(self) -> Opened | None:
        """Look for a Python among its processes; return one that was not looked at before."""
        self._take_stock()
        for one in list(self._candidates.values()):
            if one.is_due and (found := self._looked_at(one)) is not None:
                return found
        return None

    def follow(self) -> Opened | None:
        """Return the Python to report on from now on, if the one of before is gone and there is another."""
        try:
            if self._target is not None:
                self._target.process.check()
                return None
        except TargetGone:
            pass
        return self.find()

    def without_end(self, batch: Batch) -> Batch:
        """Keep back the end of the Python that is reported on: the report is about how it was then."""
        if self._target is None or self._target.process.pid == self.root.pid:
            return batch
        rows = batch.processes
        ends = (rows["how"] == ProcessHow.EXIT) & (rows["pid"] == self._target.process.pid)
        if batch.source == NAME or not ends.any():
            return batch
        self._kept_back = rows[ends]
        return replace(batch, processes=rows[~ends])

    def take_end(self) -> Batch | None:
        """Return what was kept back, now that another Python is reported on."""
        if not len(self._kept_back):
            return None
        ends, self._kept_back = self._kept_back, no_rows(PROCESS)
        now_ns = time.monotonic_ns()
        return Batch(source=NAME, begin_ns=now_ns, end_ns=now_ns, processes=ends)

    def _looked_at(self, one: _Candidate) -> Opened | None:
        """Take hold of the Python in a process, if there is one."""
        is_last = one.begin_attempt()
        with ExitStack() as held:
            try:
                target = held.enter_context(opened(one.process.pid, patient=True))
            except TargetUnsupported as error:
                if not isinstance(error, NotPython | LayoutCheckFailed):
                    self.refused = error
                    one.left.clear()
                return None
            except (MemprobeError, ReadFault, OSError):
                return None
            if isinstance(target.obstacle, LayoutCheckFailed) and not is_last:
                return None  # it starts just now
            one.left.clear()
            if self._held is not None:
                self._held.close()
            self._held, self._target = held.pop_all(), target
            return target

    def _take_stock(self) -> None:
        """See who has ended, who runs another program, and who is new."""
        for pid, one in list(self._candidates.items()):
            try:
                one.process.check()
            except TargetReplaced:
                self._renew(pid, one)
            except TargetGone:
                self._drop(pid)
        for one in list(self._candidates.values()):
            self._add_children(one)

    def _renew(self, pid: int, one: _Candidate) -> None:
        self._drop(pid)
        try:
            process = open_process(pid, start_time_ticks=one.process.id.start_time_ticks)
            self._candidates[pid] = _Candidate(process)
        except (MemprobeError, OSError):
            pass  # it has ended since

    def _drop(self, pid: int) -> None:
        self._candidates.pop(pid).process.close()

    def _add_children(self, one: _Candidate) -> None:
        try:
            new = sorted(one.children.read() - self._candidates.keys())
        except (TargetGone, OSError):
            return
        for pid in new[: MOST_PROCESSES - len(self._candidates)]:
            if (child := open_child(pid, one.process.pid)) is not None:
                self._candidates[pid] = _Candidate(child)


class _Candidate:
    """A process in which there may be a Python."""

    def __init__(self, process: Process) -> None:
        self.process, self.children = process, Children(process)
        self.left = list(ATTEMPTS_S)
        self._since_s = time.monotonic()

    @property
    def is_due(self) -> bool:
        return bool(self.left) and time.monotonic() >= self._since_s + self.left[0]

    @property
    def is_young(self) -> bool:
        return bool(self.left) and time.monotonic() < self._since_s + YOUNG_S

    def begin_attempt(self) -> bool:
        """Count an attempt; return whether it is the last one."""
        self.left.pop(0)
        return not self.left
