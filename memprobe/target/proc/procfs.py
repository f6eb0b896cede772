"""Reading /proc/<pid>: one open folder, with gone and denied kept apart.

The folder is opened once. Its descriptor stays bound to that one process: when the process
ends, every later read fails with ESRCH, even if the pid is in use again.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from memprobe.errors import NotPermitted, TargetExited, TargetReplaced

GONE = frozenset({errno.ESRCH, errno.ENOENT})
DENIED = frozenset({errno.EACCES, errno.EPERM})
EXITING_FLAG = 0x00000004
"""PF_EXITING of include/linux/sched.h."""

KERNEL_THREAD_FLAG = 0x00200000
"""PF_KTHREAD of include/linux/sched.h, as field 9 of stat shows it."""

FILE_LIMIT = 1 << 20
"""More than any small file of /proc has; `maps` and `smaps` pass their own bound."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What memprobe uses of /proc/<pid>/stat."""

    name: str
    """The command name, at most 15 bytes, made printable."""

    state: str
    """R, S, D, T, Z ... as in proc(5)."""

    parent: int
    """The pid of the parent."""

    flags: int
    """The kernel's flags of the task (PF_*)."""

    user_ticks: int
    """CPU time in user mode."""

    system_ticks: int
    """CPU time in the kernel."""

    threads: int
    """How many threads it has."""

    start_time_ticks: int
    """Clock ticks after boot."""

    @property
    def is_kernel_thread(self) -> bool:
        """Whether this is a thread of the kernel, with no memory of its own."""
        return bool(self.flags & KERNEL_THREAD_FLAG)

    @property
    def is_exiting(self) -> bool:
        """Whether it is on its way out: its memory may be gone before its state says so."""
        return bool(self.flags & EXITING_FLAG)

    @property
    def has_ended(self) -> bool:
        """Whether it is a zombie or about to vanish."""
        return self.state in "ZXx"


def printable(text: str) -> str:
    """Replace what could write to a terminal: names are chosen by the target."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def parse_stat(raw: bytes) -> Stat:
    """Parse /proc/<pid>/stat; the name may itself hold spaces and parentheses."""
    head, _, tail = raw.rpartition(b")")
    fields = tail.split()
    if len(fields) < 22:
        raise ValueError("stat is too short")
    return Stat(
        name=printable(head.partition(b"(")[2].decode("utf-8", "replace")),
        state=fields[0].decode("ascii", "replace"),
        parent=int(fields[1]),
        flags=int(fields[6]),
        user_ticks=int(fields[11]),
        system_ticks=int(fields[12]),
        threads=int(fields[17]),
        start_time_ticks=int(fields[19]),
    )


def parse_status(raw: bytes) -> dict[str, str]:
    """Parse the "Key: value" lines of status, smaps_rollup and meminfo."""
    lines = raw.decode("utf-8", "replace").splitlines()
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def size_bytes(value: str | None) -> int | None:
    """Read "1234 kB" as bytes; None if it is missing or not a number."""
    number = (value or "").removesuffix("kB").strip()
    return int(number) * 1024 if number.isdecimal() else None


def available_bytes() -> int | None:
    """Return how much memory the machine can give without swapping; None if it does not say."""
    try:
        with open("/proc/meminfo", "rb") as file:
            return size_bytes(parse_status(file.read(FILE_LIMIT)).get("MemAvailable"))
    except OSError:
        return None


def read_descriptor(descriptor: int, limit: int) -> bytes:
    """Read to the end or to the limit, whichever comes first."""
    chunks = []
    while limit > 0 and (chunk := os.read(descriptor, min(limit, 1 << 16))):
        chunks.append(chunk)
        limit -= len(chunk)
    return b"".join(chunks)


class ProcFolder:
    """An open /proc/<pid>, bound to one process for as long as it is open."""

    def __init__(self, pid: int, path: str | None = None) -> None:
        self.pid = pid
        self.path = path or f"/proc/{pid}"
        self.descriptor = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptor back; safe to call twice."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """Open one entry; the caller closes the descriptor."""
        with self.translated(name):
            return os.open(name, flags | os.O_CLOEXEC, dir_fd=self.descriptor)

    def read(self, name: str, limit: int = FILE_LIMIT) -> bytes:
        """Read one entry, at most `limit` bytes of it."""
        descriptor = self.open(name)
        try:
            with self.translated(name):
                return read_descriptor(descriptor, limit)
        finally:
            os.close(descriptor)

    def link(self, name: str) -> str:
        """Read a link such as `exe`, `root` or `fd/3`."""
        with self.translated(name):
            return os.readlink(name, dir_fd=self.descriptor)

    def entries(self, name: str) -> list[str]:
        """List a folder such as `fd` or `task`."""
        descriptor = self.open(name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with self.translated(name):
                return os.listdir(descriptor)
        finally:
            os.close(descriptor)

    def identity(self, name: str) -> tuple[int, int]:
        """Follow a link and return (device, inode) of what is behind it."""
        with self.translated(name):
            status = os.stat(name, dir_fd=self.descriptor)
        return status.st_dev, status.st_ino

    def stat(self) -> Stat:
        """Read `stat`, which everybody may read and which zombies still have."""
        try:
            return parse_stat(self.read("stat", 4096))
        except ValueError:
            raise self.ended() from None

    def status(self) -> dict[str, str]:
        """Read `status` as a mapping from key to text."""
        return parse_status(self.read("status", 1 << 16))

    def ended(self) -> TargetExited:
        """The error for a process that is no longer there."""
        return TargetExited(f"process {self.pid} ended while it was being read")

    def replaced(self) -> TargetReplaced:
        """The error for a process that runs another program now."""
        return TargetReplaced(
            f"process {self.pid} called exec and runs another program now",
            remedy="start memprobe again to look at the new program",
        )

    def is_gone(self) -> bool:
        """Whether the process has ended, collected by its parent or not."""
        try:
            descriptor = os.open("stat", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.descriptor)
        except OSError:
            return True
        try:
            stat = parse_stat(os.read(descriptor, 4096))
            return stat.has_ended or stat.is_exiting
        except (OSError, ValueError):
            return True
        finally:
            os.close(descriptor)

    @contextmanager
    def translated(self, name: str) -> Iterator[None]:
        """Turn errno into gone or denied; an entry that this kernel lacks stays FileNotFoundError."""
        try:
            yield
        except OSError as error:
            if error.errno in GONE | DENIED and self.is_gone():
                raise self.ended() from None
            if error.errno == errno.ESRCH:
                # Still there, but what was opened belongs to the address space before an exec.
                raise self.replaced() from None
            if error.errno in DENIED:
                raise self.denied(name) from None
            raise

    def denied(self, name: str) -> NotPermitted:
        """The error for an entry that may not be read."""
        return NotPermitted(
            f"not permitted to read {self.path}/{name}",
            remedy=_more_rights(self.pid),
        )


def _more_rights(pid: int) -> str:
    if os.geteuid() == 0:  # root without capabilities, or a process that a security module guards
        return "give memprobe CAP_SYS_PTRACE (a container: start it with --cap-add SYS_PTRACE)"
    return f"run memprobe as root (sudo) or as the user who owns process {pid}"
