"""The children of a process, from the lists that the kernel keeps with each of its threads."""

from __future__ import annotations

import os
from collections.abc import Sequence

from memprobe.errors import MemprobeError
from memprobe.target.proc.process import Process, open_process

THREADS_LIMIT = 256
"""Threads that are asked per poll, 12 us each; of a process with more it takes several polls."""

_LIST_BYTES = 1 << 16


class Children:
    """Finds the children of one process, poll by poll."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._next = 0

    def read(self) -> set[int]:
        """Return the pids of its children, in memprobe's pid namespace.

        A child whose parent ends belongs to another process from then on: it must have been seen before.
        """
        tids = sorted(int(name) for name in self._process.folder.entries("task"))
        return {pid for tid in self._turn(tids) for pid in self._of_thread(tid)}

    def _turn(self, tids: Sequence[int]) -> Sequence[int]:
        """Return the threads whose turn it is."""
        if len(tids) <= THREADS_LIMIT:
            return tids
        first, self._next = self._next % len(tids), self._next + THREADS_LIMIT
        return [*tids[first:], *tids[:first]][:THREADS_LIMIT]

    def _of_thread(self, tid: int) -> list[int]:
        folder, name = self._process.folder.descriptor, f"task/{tid}/children"
        try:
            opened = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            return []  # the thread has ended, or the kernel has no such lists
        try:
            return [int(pid) for pid in os.read(opened, _LIST_BYTES).split()]
        except OSError:
            return []
        finally:
            os.close(opened)


def open_child(pid: int, parent: int) -> Process | None:
    """Take hold of a child; None if it has ended, or the pid is another's by now."""
    try:
        child = open_process(pid)
    except (MemprobeError, OSError):
        return None
    try:
        if child.folder.stat().parent == parent:
            return child
    except MemprobeError:
        pass
    child.close()
    return None
