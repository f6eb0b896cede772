"""The processes whose calls are traced: what the tracer is told of them, and what it tells."""

from __future__ import annotations

import struct
import time
from collections import Counter

from memprobe.abi import MAX_LAYOUTS, MAX_TARGETS, ProcessHow
from memprobe.errors import MemprobeError, TargetReplaced
from memprobe.sources.kernel.followed import (
    Followed,
    called_exec,
    descendants,
    forked,
    found_running,
    is_due,
    look_for_python,
)
from memprobe.sources.kernel.naming import resolve
from memprobe.sources.kernel.python_layout import UnsuitableLayout, fill_layout
from memprobe.sources.kernel.records import RawStack
from memprobe.sources.kernel.stacks import FREED, StackNames
from memprobe.target.cpython.python import Python
from memprobe.target.proc.mappings import read_mappings
from memprobe.target.proc.process import Process, open_process
from memprobe.vocab import Stack
from memprobe.vocab.rows import Rows

_TARGET = struct.Struct("=IIQII")
"""struct trace_target of native/src/trace_shared.h."""


class Family:
    """The target, and with `tree` its children."""

    def __init__(self, process: Process, python: Python | None, *, tree: bool) -> None:
        self._tree = tree
        self._pid = process.pid
        self._followed: dict[int, Followed] = {}
        self._layouts: list[bytes] = []
        self.lost: Counter[str] = Counter()
        """What could not be followed or named, ever."""

        names = None if python is None else StackNames(python.layout)
        main = Followed(process.pid, process.pid, process, python, names, mappings=read_mappings(process))
        main.since_s = time.monotonic()
        self._followed[process.pid] = main

    def __len__(self) -> int:
        return len(self._followed)

    @property
    def pids(self) -> list[int]:
        """Who is followed."""
        return list(self._followed)

    def process(self, pid: int) -> Process | None:
        """A process that is followed, if it is held."""
        one = self._followed.get(pid)
        return None if one is None else one.process

    @property
    def knows_python(self) -> bool:
        """Whether there is a Python in one of them at present."""
        return any(one.python is not None for one in self._followed.values())

    @property
    def invisible(self) -> tuple[str, ...]:
        """Whose stacks are not known, and why."""
        return tuple(
            f"Stacks of process {one.pid} are not known: {one.reason}."
            for one in self._followed.values()
            if one.python is None and one.reason and not one.attempts_left
        )

    def close(self) -> None:
        """Let go of all."""
        for one in self._followed.values():
            one.close()
        self._followed.clear()

    # For the tracer ---------------------------------------------------------------------------------

    def targets(self) -> bytes:
        """Who is to be traced, as Tracer.begin wants it."""
        return b"".join(self._target(one) for one in self._followed.values())

    def first_target(self) -> bytes:
        """The same of the first process alone; nothing if it is not followed any more."""
        one = self._followed.get(self._pid)
        return b"" if one is None else self._target(one)

    @property
    def layouts(self) -> bytes:
        """The layouts that the targets refer to."""
        return b"".join(self._layouts)

    def _target(self, one: Followed) -> bytes:
        runtime = layout = 0
        if one.python is not None:
            try:
                layout = self._layout(one.python)
                runtime = one.python.runtime.address
            except UnsuitableLayout as error:
                one.reason = str(error)
        return _TARGET.pack(one.pid, layout, runtime, one.epoch, 0)

    def _layout(self, python: Python) -> int:
        content = fill_layout(python.layout)
        if content not in self._layouts:
            if len(self._layouts) >= MAX_LAYOUTS:
                raise UnsuitableLayout(f"more than {MAX_LAYOUTS} builds of Python at once")
            self._layouts.append(content)
        return self._layouts.index(content)

    # What happens to them ---------------------------------------------------------------------------

    def look(self, now_s: float) -> None:
        """See who has ended or runs another program, who is new, and where a Python has begun."""
        for one in list(self._followed.values()):
            self._check(one, now_s)
            if is_due(one, now_s):
                look_for_python(one)

    def _check(self, one: Followed, now_s: float) -> None:
        try:
            if one.process is not None:
                one.process.check()
            elif not one.attempts_left:
                self._hold(one)
        except TargetReplaced:
            called_exec(one, now_s)
        except MemprobeError:
            one.close()
            del self._followed[one.pid]

    def _hold(self, one: Followed) -> None:
        """Take hold of a process that is no Python, so that its end shows."""
        one.process = open_process(one.pid)
        one.owned.append(one.process.close)

    def look_for_children(self, now_s: float) -> None:
        """Follow the children that were born while nothing was traced."""
        if not self._tree:
            return
        for pid in descendants(self._pid):
            if pid in self._followed:
                continue
            if len(self._followed) >= MAX_TARGETS:
                self.lost["targets_full"] += 1
                return
            self._followed[pid] = found_running(pid, pid, now_s)

    def take(self, processes: Rows, now_s: float) -> None:
        """Take in the forks and execs that the tracer tells of."""
        for record in processes:
            pid, child = int(record["header"]["pid"]), int(record["other"])
            one = self._followed.get(pid)
            if one is None:
                continue
            if record["how"] == ProcessHow.FORK and child not in self._followed:
                self._followed[child] = forked(one, child, child, now_s)
            elif record["how"] == ProcessHow.EXEC:
                called_exec(one, now_s)

    def resolve(self, stacks: list[RawStack]) -> dict[int, Stack]:
        """Name new stacks."""
        named = resolve(stacks, self._followed)
        self.lost["code_gone"] += sum(stack.frames.count(FREED) for stack in named.values())
        return named
