"""What the followed processes have used, as the governor wants to know it."""

from __future__ import annotations

import time
from collections.abc import Iterable

from memprobe.errors import MemprobeError
from memprobe.sources.procfs.samples import NS_PER_TICK
from memprobe.target.proc.process import Process
from memprobe.vocab.costs import SourceCosts

Reading = tuple[int, int, int]
"""CPU time, system time, reads and writes."""


class Usage:
    """Counters of processes that come and go, added up so that the sums only grow."""

    def __init__(self) -> None:
        self._last: dict[Process, Reading] = {}
        self._ended: Reading = (0, 0, 0)

    def read(self, processes: Iterable[Process]) -> SourceCosts:
        """Ask the kernel: three system calls a process."""
        now = {process: _reading(process) or self._last.get(process, (0, 0, 0)) for process in processes}
        for process in self._last.keys() - now.keys():
            self._ended = _sum((self._ended, self._last[process]))
        self._last = now
        cpu_ns, system_ns, calls = _sum((self._ended, *now.values()))
        return SourceCosts(
            target_cpu_ns=cpu_ns,
            target_system_ns=system_ns,
            target_syscalls=calls,
            target_syscalls_exact=False,
        )


def _reading(process: Process) -> Reading | None:
    try:
        if process.has_ended():
            return None
        # The clock of a process (clock_getcpuclockid) counts nanoseconds; stat has ticks of 10 ms.
        cpu_ns = time.clock_gettime_ns((~process.pid << 3) | 2)
        return cpu_ns, process.folder.stat().system_ticks * NS_PER_TICK, _calls(process)
    except (MemprobeError, OSError):
        return None


def _calls(process: Process) -> int:
    """Reads and writes: the part of its system calls that the kernel counts."""
    try:
        lines = process.folder.read("io", 4096).split(b"\n")
    except (MemprobeError, OSError):
        return 0
    return sum(int(line.partition(b":")[2]) for line in lines if line.startswith((b"syscr", b"syscw")))


def _sum(readings: Iterable[Reading]) -> Reading:
    cpu_ns, system_ns, calls = zip(*readings, strict=True)
    return sum(cpu_ns), sum(system_ns), sum(calls)
