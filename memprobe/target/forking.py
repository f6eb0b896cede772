"""A child of memprobe; where the system has no room for one, that is no bug of memprobe."""

from __future__ import annotations

import os

from memprobe.errors import NoMoreProcesses

REMEDY = "allow memprobe more processes (ulimit -u, pids.max) or memory"


def fork() -> int:
    """Fork as os.fork does; raise NoMoreProcesses where there can be no child."""
    try:
        return os.fork()
    except OSError as error:
        raise no_room("a process", error.strerror) from None


def no_room(what: str, reason: str | None) -> NoMoreProcesses:
    """Return what to raise where a process or a thread cannot be started."""
    return NoMoreProcesses(f"memprobe cannot start {what} that it needs ({reason})", remedy=REMEDY)
