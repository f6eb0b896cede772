"""A process whose main thread has ended while others run on, as after pthread_exit(3) there.

The kernel keeps its folder in /proc, but that is the main thread's: no memory, no descriptors, no mappings.
"""

from __future__ import annotations

from memprobe.errors import MemprobeError, TargetIsZombie
from memprobe.target.proc.procfs import ProcFolder, parse_stat, parse_status

_SIGKILL = 1 << 8
"""As `SigPnd` of status shows it: the end of a process is told to all of its threads in this way."""

WHY = "memprobe reads a process through its main thread"


def lost_main_thread(folder: ProcFolder) -> TargetIsZombie | None:
    """Return the error for a process that goes on without its main thread; None if it does not."""
    try:
        stat = folder.stat()
        if not stat.has_ended:
            return None
        others = (tid for tid in folder.entries("task") if tid != str(folder.pid))
        if not any(_runs_on(folder, tid) for tid in others):
            return None
    except (MemprobeError, OSError):
        return None
    fact = f"the main thread of process {folder.pid} ({stat.name}) has ended, only its other threads run"
    return TargetIsZombie(fact, remedy=WHY)


def _runs_on(folder: ProcFolder, tid: str) -> bool:
    """Whether a thread runs on: while a process ends, some of its threads are there longer than others."""
    try:
        stat = parse_stat(folder.read(f"task/{tid}/stat", 4096))
        pending = parse_status(folder.read(f"task/{tid}/status"))["SigPnd"]
    except (MemprobeError, OSError, ValueError, KeyError):
        return False
    return not (stat.has_ended or stat.is_exiting or int(pending, 16) & _SIGKILL)
