"""What memprobe knows of itself, as /proc has it."""

from __future__ import annotations

import os
from contextlib import suppress


def stat_field(field: int, tid: int | None = None) -> int:
    """Return a number of the stat file of the process or of a thread, counted as in proc(5)."""
    path = "/proc/self/stat" if tid is None else f"/proc/self/task/{tid}/stat"
    with open(path, "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[field - 3])


def shared_pages() -> int:
    """Return the resident pages of files and of shared memory."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[2])


def thread_count() -> int:
    """Return how many threads there are."""
    return len(os.listdir("/proc/self/task"))


def open_descriptors() -> int:
    """Return which descriptors are open, a bit for each."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # that of the list itself
            os.fstat(int(name))
            found |= 1 << int(name)
    return found
