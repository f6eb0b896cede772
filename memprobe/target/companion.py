"""A child that works beside memprobe for a whole run: it is told what to do, and heard without waiting.

    parent                                         child
      tell({...})      ── JSON, a pipe ──>           link.commands(wait_s)
      messages()      <── JSON and bytes ──          link.tell({...}, rows)
      silence()        how long it has slept without a word and without using the CPU

It may hang where a target makes its reader wait for ever (killable.py has the reasons), so nobody waits for
it: who hears nothing for too long ends it and starts another. It holds none of memprobe's descriptors: a
forgotten one would keep programs in the kernel after memprobe has been killed.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import select
import signal
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from memprobe.native.lifetime import die_with
from memprobe.target.killable import progress
from memprobe.target.proc.procfs import ProcFolder, parse_status, size_bytes

PIPE_BYTES = 1 << 20
"""What an unprivileged process may have: the child seldom waits until it is heard."""

_HEAD = struct.Struct("<II")
_CHUNK = 1 << 18
_FIRST_OWN = 3
_PRIVATE = ("Private_Clean", "Private_Dirty", "Private_Hugetlb")


@dataclass(frozen=True, slots=True)
class Message:
    """What the child says."""

    text: Any
    """Plain data."""

    data: bytes = b""
    """Rows, or whatever else is not text."""


class Link:
    """The child's end."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests, self._answers = requests, answers
        self._waiting = select.poll()
        self._waiting.register(requests, select.POLLIN)
        self._received = b""

    def commands(self, wait_s: float) -> list[Any] | None:
        """Return what the parent has said, after at most so long; None if there will be no more."""
        if not self._waiting.poll(max(0.0, wait_s) * 1000):
            return []
        chunk = os.read(self._requests, _CHUNK)
        if not chunk:
            return None
        *lines, self._received = (self._received + chunk).split(b"\n")
        return [json.loads(line) for line in lines]

    def tell(self, text: Any, data: bytes = b"") -> None:
        """Say something to the parent; waits while its pipe is full."""
        packed = json.dumps(text).encode()
        message = memoryview(_HEAD.pack(len(packed), len(data)) + packed + data)
        while message:
            message = message[os.write(self._answers, message) :]


class Companion:
    """The parent's end."""

    def __init__(self, work: Callable[[Link], None]) -> None:
        """Start a child that does `work` and ends with it, or with memprobe."""
        parent = os.getpid()
        child_reads, self._requests = os.pipe()
        self._answers, child_writes = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _be_the_child(parent, child_reads, child_writes, work)
        os.close(child_reads)
        os.close(child_writes)
        fcntl.fcntl(self._answers, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(self._answers, False)
        os.set_blocking(self._requests, False)
        self.has_ended = False
        """Whether it will say no more."""
        self._received = bytearray()
        self._cpu_ns = self._seen_ns = 0
        self._used, self._silent_s = -1, 0.0

    def tell(self, command: Any) -> None:
        """Send a command; a child that has stopped listening does not get it."""
        try:
            os.write(self._requests, json.dumps(command).encode() + b"\n")
        except (BlockingIOError, BrokenPipeError):
            pass  # `silence` or `has_ended` tells the rest

    def messages(self) -> Iterator[Message]:
        """Yield what it has said since it was last asked."""
        while not self.has_ended:
            try:
                chunk = os.read(self._answers, _CHUNK)
            except BlockingIOError:
                return
            self.has_ended = not chunk
            self._received += chunk
            self._silent_s = 0.0
            yield from self._complete()

    def silence(self) -> float:
        """Return for how many seconds it has slept without a word and without using the CPU.

        Asked about once a second; what lies between two questions counts if it slept at both.
        """
        now_ns, before_ns = time.monotonic_ns(), self._seen_ns
        try:
            sleeping, used = progress(self.pid)
        except OSError:
            return self._silent_s
        if sleeping and used == self._used and before_ns:
            self._silent_s += (now_ns - before_ns) / 1e9
        self._used, self._seen_ns = used, now_ns
        return self._silent_s

    @property
    def cpu_ns(self) -> int:
        """CPU time that it has used, until it is collected."""
        if self.pid:
            try:
                # clock_getcpuclockid(3), which Python does not have: stat has ticks of 10 ms.
                self._cpu_ns = time.clock_gettime_ns((~self.pid << 3) | 2)
            except OSError:
                pass
        return self._cpu_ns if self.pid else 0

    def private_bytes(self) -> int | None:
        """Return the memory that it does not share with memprobe; None if that is not known."""
        try:
            with ProcFolder(self.pid) as folder:
                lines = parse_status(folder.read("smaps_rollup", 1 << 16))
        except Exception:  # noqa: BLE001 (it has ended, or the kernel has no such file)
            return None
        return sum(size_bytes(lines.get(name)) or 0 for name in _PRIVATE)

    def end(self) -> None:
        """Kill it, without waiting; `is_collected` says when it is gone. May be called twice."""
        if self._answers >= 0:
            os.close(self._answers)
            os.close(self._requests)
            self._answers = self._requests = -1
            self.has_ended = True
            os.kill(self.pid, signal.SIGKILL)

    def is_collected(self) -> bool:
        """Whether it has ended and is collected. A FUSE server can hold its reader even against SIGKILL."""
        if self.pid and os.waitpid(self.pid, os.WNOHANG)[0]:
            self.pid = 0
        return not self.pid

    def _complete(self) -> Iterator[Message]:
        """Take the messages that are complete."""
        while len(self._received) >= _HEAD.size:
            text, data = _HEAD.unpack_from(self._received)
            end = _HEAD.size + text + data
            if len(self._received) < end:
                return
            whole = bytes(self._received[_HEAD.size : end])
            del self._received[:end]
            yield Message(json.loads(whole[:text]), whole[text:])


def _be_the_child(parent: int, requests: int, answers: int, work: Callable[[Link], None]) -> NoReturn:
    try:
        # Ctrl-C and SIGTERM may go to both; the parent ends the child.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        die_with(parent)
        # What the parent has made is never finalised here: its descriptors have other owners soon.
        gc.freeze()
        _close_all_but(requests, answers)
        work(Link(requests, answers))
        os._exit(0)
    finally:
        os._exit(1)  # never back into the parent's stack, never through its exit handlers


def _close_all_but(*kept: int) -> None:
    first = _FIRST_OWN
    for descriptor in sorted(kept):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))
