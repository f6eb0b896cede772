"""The memory of a running process."""

from __future__ import annotations

import errno
import os
import select
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from memprobe.errors import (
    MemprobeError,
    NoSuchProcess,
    NotPermitted,
    ReadFault,
    TargetExited,
    TargetGone,
    TargetReplaced,
)
from memprobe.native import read_region, read_regions
from memprobe.vocab import TargetId

_ADDRESS_END = 1 << 64
# One read of a decoder is never near this; what is larger comes from a length that lies.
_LARGEST_READ = 1 << 30
# linux/sched.h: set in field 9 of /proc/<pid>/stat before a process gives up its memory.
_PF_EXITING = 0x4
_STAT_FLAGS = 6


@dataclass(frozen=True, slots=True)
class ReadStatistics:
    """What has been read so far."""

    reads: int
    """Calls of read, read_many and read_into."""

    bytes: int
    """Bytes that came back."""

    faults: int
    """Regions of which less came back than was asked for."""


class LiveMemory:
    """Memory of a running process, read without stopping it.

    It is bound to the program that runs when it is made: after exec reads raise TargetReplaced,
    after the end TargetExited, and a recycled pid is never read.
    """

    def __init__(self, target: TargetId, pidfd: int) -> None:
        self._pid = target.pid
        self._mem_fd = _open_mem(target.pid)
        self._pidfd = os.dup(pidfd)
        self._reads = self._bytes = self._faults = 0
        # Only now it is sure that the file belongs to the process behind the pidfd.
        if self._has_ended():
            self.close()
            raise self._exited()

    @property
    def pid(self) -> int:
        """The pid that errors name."""
        return self._pid

    def read(self, address: int, size: int) -> bytes:
        """Return exactly `size` bytes, or raise ReadFault."""
        self._reads += 1
        if not _is_readable(address, size):
            raise self._fault(address, size, errno.EFAULT)
        try:
            data = read_region(self._pid, self._pidfd, self._open_fd(), address, size)
        except OSError as error:
            raise self._translated(error) from None
        self._bytes += len(data)
        if len(data) != size:
            raise self._fault(address, size, errno.EFAULT)
        return data

    def read_many(self, regions: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read many (address, size) regions at once; a region that faults comes back short."""
        regions = [region if _is_readable(*region) else (0, 0) for region in regions]
        buffer = memoryview(bytearray(sum(size for _, size in regions)))
        result, start = [], 0
        for (_, size), got in zip(regions, self.read_into(regions, buffer), strict=True):
            result.append(bytes(buffer[start : start + got]))
            start += size
        return result

    def read_into(self, regions: Sequence[tuple[int, int]], buffer: memoryview) -> list[int]:
        """Fill `buffer` with the regions back to back; return the bytes that each one got."""
        self._reads += 1
        done = array("q", bytes(8 * len(regions)))
        try:
            total = read_regions(self._pid, self._pidfd, self._open_fd(), _packed(regions), buffer, done)
        except OSError as error:
            raise self._translated(error) from None
        self._bytes += total
        got = [max(0, count) for count in done]
        self._faults += sum(count != size for count, (_, size) in zip(got, regions, strict=True))
        return got

    def statistics(self) -> ReadStatistics:
        """What has been read so far."""
        return ReadStatistics(reads=self._reads, bytes=self._bytes, faults=self._faults)

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """The pid, its pidfd and its open mem file, for readers in C; they stay this object's."""
        return self._pid, self._pidfd, self._open_fd()

    def close(self) -> None:
        """Let go of the process; reads raise ValueError from now on."""
        mem_fd, self._mem_fd = self._mem_fd, -1
        if mem_fd >= 0:
            os.close(mem_fd)
            os.close(self._pidfd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_fd(self) -> int:
        if self._mem_fd < 0:
            raise ValueError(f"the memory of process {self._pid} is closed")
        return self._mem_fd

    def _fault(self, address: int, size: int, why: int) -> ReadFault:
        self._faults += 1
        return ReadFault(self._pid, address, size, why)

    def _translated(self, error: OSError) -> Exception:
        """The error of memprobe that says what an errno of the native reader means."""
        if error.errno == errno.ESRCH:
            return self._exited()
        if error.errno == errno.ESTALE:
            return self._gone()
        if error.errno in (errno.EPERM, errno.EACCES):
            return _refused(self._pid)
        return error

    def _exited(self) -> TargetExited:
        return TargetExited(f"process {self._pid} ended while it was being read")

    def _gone(self) -> TargetGone:
        """Why the address space is gone: the process is ending, or it has called exec."""
        if self._has_ended() or _is_exiting(self._pid):
            return self._exited()
        return TargetReplaced(
            f"process {self._pid} called exec while it was being read: it runs another program now",
            remedy="run the command again to look at the new program",
        )

    def _has_ended(self) -> bool:
        poller = select.poll()
        poller.register(self._pidfd, select.POLLIN)
        return bool(poller.poll(0))


def _is_readable(address: int, size: int) -> bool:
    return 0 <= size <= _LARGEST_READ and 0 <= address <= _ADDRESS_END - 1 - size


def _packed(regions: Sequence[tuple[int, int]]) -> array[int]:
    """The regions as the native reader takes them; a nonsensical address becomes one that faults."""
    return array(
        "Q",
        [
            number
            for address, size in regions
            for number in (address if 0 <= address < _ADDRESS_END else _ADDRESS_END - 1, size)
        ],
    )


def _open_mem(pid: int) -> int:
    try:
        return os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        raise _refused(pid) from None
    except FileNotFoundError:
        raise NoSuchProcess(f"there is no process {pid}") from None
    except ProcessLookupError:
        raise TargetExited(f"process {pid} has no memory any more: it is ending") from None


def _refused(pid: int) -> MemprobeError:
    """Why the kernel says no. Whoever is not root is refused the memory of a process that ends, too."""
    if _is_exiting(pid):
        return TargetExited(f"process {pid} ended while it was being read")
    return NotPermitted(
        f"no right to read the memory of process {pid}",
        remedy=f"run memprobe with sudo; `memprobe doctor {pid}` names the missing right",
    )


def _is_exiting(pid: int) -> bool:
    """Whether the kernel has begun to take the process down; true as well if it is not there."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return True
    # The name in parentheses may hold anything, spaces and parentheses too.
    fields = stat.rpartition(b")")[2].split()
    return len(fields) <= _STAT_FLAGS or bool(int(fields[_STAT_FLAGS]) & _PF_EXITING)
