"""A process with known pages, to be read from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Self

from memprobe.native import read_regions
from memprobe.vocab import TargetId

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = 4096
PAGES = 64
HOLE = 8
TARGETS = Path(__file__).parent / "targets"


def pattern(offset: int, size: int) -> bytes:
    """What `holds_pages.py` has at an offset from its base."""
    places = (divmod(place, PAGE) for place in range(offset, offset + size))
    return bytes((page * 31 + i + (i >> 8)) & 255 for page, i in places)


class Holder:
    """A running `holds_pages.py`."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, TARGETS / "holds_pages.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # A sanitizer is for the reader alone: it would fill the target's memory with its own.
            env={name: value for name, value in os.environ.items() if name != "LD_PRELOAD"},
        )
        self.pid = self.process.pid
        self.id = TargetId(self.pid, 0)
        self.pidfd = os.pidfd_open(self.pid)
        self.base = int(self._line())
        self.mem_fd = os.open(f"/proc/{self.pid}/mem", os.O_RDONLY)

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, command: str) -> None:
        """Have a command carried out; return when it has been."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        assert self._line() == "done"

    def kill(self) -> None:
        """End the process and collect it."""
        self.process.kill()
        self.process.wait()

    def read(
        self, regions: Sequence[tuple[int, int]], *, mem_fd: int | None = None
    ) -> tuple[bytes, list[int]]:
        """Read regions by offset with the native reader; what it filled, and `done`."""
        packed = array("Q", [number for offset, size in regions for number in (self.base + offset, size)])
        room = bytearray(sum(size for _, size in regions))
        done = array("q", [99] * len(regions))
        fd = self.mem_fd if mem_fd is None else mem_fd
        total = read_regions(self.pid, self.pidfd, fd, packed, room, done)
        assert total == sum(max(0, count) for count in done)
        return bytes(room), list(done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        os.close(self.pidfd)
        os.close(self.mem_fd)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def next_pid_is(pid: int) -> None:
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))


def recycled(pid: int) -> Holder | None:
    """Another process that has got this pid; None where the kernel cannot be told to do so."""
    for _ in range(200):
        try:
            next_pid_is(pid)
        except OSError:
            return None
        candidate = Holder()
        if candidate.pid == pid:
            return candidate
        candidate.__exit__()
    return None
