"""Tie the life of a child process to that of its parent."""

from __future__ import annotations

import os
import signal

from memprobe.native._native import set_parent_death_signal


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that forked it ends, SIGKILL included."""
    set_parent_death_signal(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)  # it ended before the kernel knew what to do then
