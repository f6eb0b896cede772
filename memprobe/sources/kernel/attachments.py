"""Programs in their places: what one is, and which of many is to go first."""

from __future__ import annotations

from dataclasses import dataclass

# Detached first, because they are hit most: system calls of every process pay until then.
_HOTTEST = (
    "sys_enter_close",
    "sys_exit_openat",
    "sys_exit_fcntl",
    "sys_exit_recvmsg",
    "sys_exit_mmap",
    "sys_enter_munmap",
    "sys_exit_madvise",
    "sys_exit_brk",
    "sys_exit_socket",
    "sys_exit_accept4",
)


@dataclass(frozen=True, slots=True)
class Attachment:
    """One program at one place."""

    object: str
    program: str

    hook: str
    """How it is reached; see table.Program."""

    point: str
    """What it is attached to; for uprobes the name of the place."""

    pid: int
    """The process or thread that it is bound to; 0 if to none."""

    number: int
    """In its BpfObject."""


def heat(attachment: Attachment) -> int:
    """Return its place in the order in which programs are detached."""
    point = attachment.point.rpartition("/")[2]
    return _HOTTEST.index(point) if point in _HOTTEST else len(_HOTTEST)
