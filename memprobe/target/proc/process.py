"""Holding on to one process: a pidfd, its start time, and the address space it had.

A pid alone means nothing: it can be used again at any moment. `Process.check` is called at
every step and tells apart that the target ended, that it called exec, and that the pid now
belongs to somebody else.
"""

from __future__ import annotations

import errno
import os
import select
from types import TracebackType
from typing import Self

from memprobe.errors import (
    KernelThread,
    MemprobeError,
    NoSuchProcess,
    NotPermitted,
    PidRecycled,
    TargetIsZombie,
    TargetReplaced,
)
from memprobe.target.proc.main_thread import lost_main_thread
from memprobe.target.proc.procfs import ProcFolder, Stat
from memprobe.vocab import TargetId

PID_LIMIT = 1 << 22
"""PID_MAX_LIMIT of the kernel on 64 bits: no pid is larger."""


class Process:
    """One process that cannot be mistaken for another; made by `open_process`."""

    def __init__(self, pidfd: int, folder: ProcFolder, stat: Stat) -> None:
        self.id = TargetId(folder.pid, stat.start_time_ticks)
        self.pidfd = pidfd
        self.folder = folder
        self.name = stat.name
        self._poll = select.poll()
        self._poll.register(pidfd, select.POLLIN)
        self._address_space = _open_address_space(folder)
        self._exe = _exe_identity(folder)

    def __repr__(self) -> str:
        return f"<Process {self.pid} {self.name!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The pid in memprobe's own pid namespace."""
        return self.id.pid

    @property
    def proc(self) -> str:
        """The path of its folder; prefer `folder`, which survives a recycled pid."""
        return self.folder.path

    def close(self) -> None:
        """Let go of the process; safe to call twice."""
        self.folder.close()
        for descriptor in (self.pidfd, self._address_space):
            if descriptor is not None and descriptor >= 0:
                os.close(descriptor)
        self.pidfd, self._address_space = -1, None

    def has_ended(self) -> bool:
        """Whether the process, with all its threads, is over."""
        return bool(self._poll.poll(0))

    def check(self) -> None:
        """Raise a leaf of TargetGone unless this is still the same program of the same process."""
        if self.has_ended():
            raise self.folder.ended()
        stat = self.folder.stat()
        if stat.start_time_ticks != self.id.start_time_ticks:
            raise _recycled(self.pid)
        if stat.has_ended:  # the pidfd tells of the last thread, this of the first one
            raise lost_main_thread(self.folder) or self.folder.ended()
        if self._has_called_exec():
            # A dying process gives up its address space before its pidfd says so.
            raise self.folder.ended() if self.has_ended() or self.folder.is_gone() else self.replaced()

    def replaced(self) -> TargetReplaced:
        """The error for a target that runs another program now."""
        return self.folder.replaced()

    def _has_called_exec(self) -> bool:
        if self._address_space is not None:
            try:
                return not os.pread(self._address_space, 1, 0)
            except ProcessLookupError:  # it has been collected since it was asked whether it has ended
                return True
        return self._exe is not None and self._exe != _exe_identity(self.folder)


def open_process(pid: int, *, start_time_ticks: int | None = None) -> Process:
    """Take hold of a running process; with a start time, of that process and no later one."""
    pidfd = _open_pidfd(pid)
    folder = None
    try:
        folder = _open_folder(pid)
        stat = _stat_of_the_living(folder, start_time_ticks)
        process = Process(pidfd, folder, stat)
        # The pidfd came first: if it is still alive now, the folder was of the same process.
        if process.has_ended():
            raise folder.ended()
        return process
    except BaseException:
        os.close(pidfd)
        if folder is not None:
            folder.close()
        raise


def _stat_of_the_living(folder: ProcFolder, start_time_ticks: int | None) -> Stat:
    """Read stat and refuse what cannot be looked into."""
    stat = folder.stat()
    if start_time_ticks is not None and stat.start_time_ticks != start_time_ticks:
        raise _recycled(folder.pid)
    if stat.is_kernel_thread:
        raise KernelThread(
            f"process {folder.pid} ({stat.name}) is a kernel thread: it has no memory of its own",
            remedy="give the pid of a program",
        )
    if stat.has_ended:
        raise lost_main_thread(folder) or _zombie(folder.pid, stat)
    return stat


def _open_pidfd(pid: int) -> int:
    if not 0 < pid <= PID_LIMIT:
        raise NoSuchProcess(f"no process has the pid {pid}")
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        raise _pidfd_error(pid, error) from None


def _pidfd_error(pid: int, error: OSError) -> MemprobeError:
    leader = _leader_of_thread(pid)
    # A thread that is not the leader gives EINVAL, and ENOENT from Linux 6.9 on.
    if error.errno in (errno.EINVAL, errno.ENOENT) and leader not in (None, pid):
        return NoSuchProcess(f"{pid} is a thread of process {leader}, not a process", remedy=f"give {leader}")
    if error.errno in (errno.ESRCH, errno.EINVAL, errno.ENOENT):
        return NoSuchProcess(f"no process has the pid {pid}")
    return NotPermitted(
        f"pidfd_open({pid}) failed: {error.strerror}",
        remedy="allow the system call pidfd_open (a seccomp filter?); Linux 5.3 or newer is needed",
    )


def _leader_of_thread(pid: int) -> int | None:
    try:
        with ProcFolder(pid) as folder:
            return int(folder.status().get("Tgid", ""))
    except (OSError, ValueError, MemprobeError):
        return None


def _open_folder(pid: int) -> ProcFolder:
    try:
        return ProcFolder(pid)
    except FileNotFoundError:
        raise _hidden_or_gone(pid) from None
    except PermissionError:
        raise NotPermitted(f"not permitted to open /proc/{pid}", remedy="run memprobe as root") from None


def _hidden_or_gone(pid: int) -> MemprobeError:
    """A live pidfd without a folder: ended this instant, or /proc hides it or is another's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return NoSuchProcess(f"no process has the pid {pid}")
    except PermissionError:
        pass
    return NotPermitted(
        f"process {pid} exists, but /proc does not show it",
        remedy="/proc is mounted with hidepid or belongs to another pid namespace: "
        "run memprobe as root, in the pid namespace that /proc belongs to",
    )


def _open_address_space(folder: ProcFolder) -> int | None:
    """Open `maps` and keep it: it is bound to the address space, and reads empty after exec."""
    try:
        return folder.open("maps")
    except NotPermitted:
        return None


def _exe_identity(folder: ProcFolder) -> tuple[int, int] | None:
    try:
        return folder.identity("exe")
    except (NotPermitted, OSError):
        return None


def _recycled(pid: int) -> PidRecycled:
    return PidRecycled(f"the process that had the pid {pid} is gone, and the pid belongs to another one now")


def _zombie(pid: int, stat: Stat) -> TargetIsZombie:
    return TargetIsZombie(
        f"process {pid} ({stat.name}) has ended and is a zombie",
        remedy=f"its parent, process {stat.parent}, has not collected it",
    )
