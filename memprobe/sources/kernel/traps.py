"""Uprobes that stand in a process for the few milliseconds of a burst.

A child attaches them and takes them away (outliving.py). Where the kernel can (6.6+), it attaches to all places
at once; else to each by itself, which takes 16 ms each.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from memprobe.errors import NoKernelSupport
from memprobe.native.bpf import BpfError
from memprobe.sources.kernel.outliving import outliving
from memprobe.sources.kernel.programs import Programs
from memprobe.target.proc.process import Process

MOST_PLACES = 12
"""Where they cannot be attached to at once."""

TRAP_NS = 800
"""The way into the kernel and back at an instruction that it emulates."""

UNMEASURED_NS = 3_500
"""A hit and all that the program does, where the kernel does not measure that: a stack of ten frames."""


@dataclass(frozen=True, slots=True)
class Trap:
    """One place for an uprobe."""

    descriptor: int
    """Of the open file."""

    offset: int
    """In it."""

    cookie: int


class Traps:
    """What attaches one program to many places of a process."""

    def __init__(self, programs: Programs, process: Process, object_name: str, program: str) -> None:
        self._programs, self._process = programs, process
        self._object, self._program = object_name, program
        self._at_once = False
        """Whether all places are attached to at once."""

    def load(self) -> bool:
        """Load the program; False if the kernel does not take it."""
        self._at_once = self._programs.load_for_many(self._object, self._program)
        return self._at_once or self._programs.load_late(self._object)

    def during(self, traps: Sequence[Trap], work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Call `work` in a child while the traps are in place, and return what it returns: plain data.

        Raises TargetExited, and NoKernelSupport if they cannot be attached.
        """
        chosen = traps if self._at_once else traps[:MOST_PLACES]
        told = outliving(lambda: self._trapped(chosen, work))
        if told is None or "refused" in told:
            self._process.check()
            reason = told["refused"] if told else "the tracing process has ended"
            raise NoKernelSupport(f"the kernel refuses an uprobe ({reason})")
        found: dict[str, Any] = told
        return found

    def _trapped(self, traps: Sequence[Trap], work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        numbers: list[int] = []
        try:
            numbers.extend(self._attached(traps))  # those before a failure, too
            return work()
        except BpfError as error:
            return {"refused": str(error.strerror)}
        finally:
            self._programs.object(self._object).detach(*numbers)

    def _attached(self, traps: Sequence[Trap]) -> Iterator[int]:
        maps, pid = self._programs.object(self._object), self._process.pid
        if not self._at_once:
            for one in traps:
                path = f"/proc/self/fd/{one.descriptor}"
                yield maps.attach_uprobe(self._program, path, one.offset, pid, one.cookie)
            return
        files: dict[int, list[Trap]] = defaultdict(list)
        for one in traps:
            files[one.descriptor].append(one)
        for descriptor, own in files.items():
            offsets = np.array([one.offset for one in own], np.uint64).tobytes()
            cookies = np.array([one.cookie for one in own], np.uint64).tobytes()
            yield maps.attach_uprobes(self._program, f"/proc/self/fd/{descriptor}", offsets, cookies, pid)

    @property
    def run_ns(self) -> int:
        """How long the program has run by now; 0 where the kernel does not measure that."""
        return self._programs.object(self._object).run_counts[self._program][1]

    def cost_ns(self, hits: int, run_ns: int) -> int:
        """What so many hits have cost the target, given the run time of the program."""
        return hits * TRAP_NS + run_ns if self._programs.counts_costs else hits * UNMEASURED_NS


def wait_while(goes_on: Callable[[], bool], longest_s: float, look_s: float = 0.001) -> None:
    """Wait until it says no, or the time is up."""
    deadline = time.monotonic() + longest_s
    while time.monotonic() < deadline and goes_on():
        time.sleep(look_s)
