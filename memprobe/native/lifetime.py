"""Tie the life of a child process to that of its parent, or of a parent to that of its children."""

from __future__ import annotations

import os
import signal

from memprobe.native._native import set_parent_death_signal

PR_SET_CHILD_SUBREAPER = 36


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that forked it ends, SIGKILL included."""
    set_parent_death_signal(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)  # it ended before the kernel knew what to do then


def adopt_orphans() -> None:
    """Become the parent of whatever this process's children leave behind, from now on."""
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def outlive_children() -> None:
    """Wait until this process has no child any more."""
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass
