"""Who descends from whom."""

from __future__ import annotations

from memprobe.errors import MemprobeError
from memprobe.target.proc.procfs import ProcFolder

GENERATIONS = 64
"""Nobody is looked for among older ancestors."""


def descends(pid: int, ancestor: int) -> bool:
    """Tell whether a process is another, or a child of it, or a child of that; one that has ended is none."""
    for _ in range(GENERATIONS):
        if pid in (ancestor, 0, 1):
            break
        try:
            with ProcFolder(pid) as folder:
                pid = folder.stat().parent
        except (OSError, MemprobeError, ValueError):
            return False
    return pid == ancestor
