"""How a process ended: its exit code, or the signal that killed it, and whether it left a core."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
from dataclasses import dataclass

from memprobe.errors import MemprobeError
from memprobe.target.proc.process import Process

_GET_INFO = 0xC040FF0B
"""PIDFD_GET_INFO with the 64 bytes of its first version."""

_INFO = struct.Struct("<QQ11Ii")
_INFO_EXIT = 1 << 3
"""The exit code, which the kernel keeps for the holder of a pidfd after the process was collected (6.15)."""

_EXIT_CODE = 49
"""Field 52 of stat, counted from the state on: of a zombie, for those who may look into it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What a process left behind."""

    exit_code: int | None
    signal: int | None
    has_core: bool = False

    def __str__(self) -> str:
        if self.signal is None:
            return f"exited with code {self.exit_code}"
        core = ", core dumped" if self.has_core else ""
        return f"was killed by {_name(self.signal)}{core}"


def ending_of(process: Process) -> Ending | None:
    """Return how a process ended; None if it has not, or if nobody says."""
    if not process.has_ended():
        return None
    status = _status_of_zombie(process)
    if status is None:
        status = _status_of_pidfd(process.pidfd)
    return None if status is None else decoded(status)


def decoded(status: int) -> Ending:
    """Decode what wait() gives."""
    number = status & 0x7F
    if number:
        return Ending(None, number, bool(status & 0x80))
    return Ending(status >> 8 & 0xFF, None)


def _status_of_zombie(process: Process) -> int | None:
    try:
        fields = process.folder.read("stat", 4096).rpartition(b")")[2].split()
        status = int(fields[_EXIT_CODE]) if fields[0] in (b"Z", b"X") else None
        return status if status or _may_look(process) else None
    except (MemprobeError, OSError, ValueError, IndexError):
        return None


def _may_look(process: Process) -> bool:
    """Whether an exit code of 0 is one: those who may not look into the process are always told 0."""
    try:
        os.readlink("root", dir_fd=process.folder.descriptor)
    except PermissionError:
        return False
    except OSError:  # allowed, but a zombie has no root any more
        return True
    return True


def _status_of_pidfd(pidfd: int) -> int | None:
    asked = bytearray(_INFO.pack(_INFO_EXIT, *[0] * 13))
    try:
        fcntl.ioctl(pidfd, _GET_INFO, asked)
    except OSError:
        return None
    mask, *_, status = _INFO.unpack(asked)
    return status if mask & _INFO_EXIT else None


def _name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
