"""Uprobes that stand in a process for the few milliseconds of a burst.

A child attaches them and takes them away (outliving.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from memprobe.errors import NoKernelSupport
from memprobe.native.bpf import BpfError
from memprobe.sources.kernel.outliving import outliving
from memprobe.sources.kernel.programs import Programs
from memprobe.sources.kernel.uprobes import Spot, attach_uprobes
from memprobe.target.forking import REMEDY
from memprobe.target.proc.process import Process

MOST_PLACES = 12
"""Where they cannot be attached to at once: each takes 16 ms."""

TRAP_NS = 800
"""The way into the kernel and back at an instruction that it emulates."""

UNMEASURED_NS = 3_500
"""A hit and all that the program does, where the kernel does not measure that: a stack of ten frames."""


@dataclass(frozen=True, slots=True)
class Trap:
    """One place for an uprobe."""

    descriptor: int
    """Of the open file."""

    spot: Spot


class Traps:
    """What attaches one program to many places of a process."""

    def __init__(self, programs: Programs, process: Process, object_name: str, program: str) -> None:
        self._programs, self._process = programs, process
        self._object, self._program = object_name, program

    def load(self) -> bool:
        """Load the program; False if the kernel does not take it."""
        return self._programs.load_late(self._object)

    def during(self, traps: Sequence[Trap], work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Call `work` in a child while the traps are in place, and return what it returns: plain data.

        Raises TargetExited, and NoKernelSupport if they cannot be attached.
        """
        chosen = traps if self._programs.attaches_many else traps[:MOST_PLACES]
        try:
            told = outliving(lambda: self._trapped(chosen, work))
        except OSError as error:
            raise NoKernelSupport(
                f"memprobe cannot start the process that sets uprobes ({error.strerror})",
                remedy=REMEDY,
            ) from None
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
        loaded, at_once = self._programs.object(self._object), self._programs.attaches_many
        for descriptor in dict.fromkeys(one.descriptor for one in traps):
            path = f"/proc/self/fd/{descriptor}"
            spots = [one.spot for one in traps if one.descriptor == descriptor]
            yield from attach_uprobes(loaded, self._program, path, spots, self._process.pid, at_once=at_once)

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
