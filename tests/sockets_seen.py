"""What a program and all that it starts ask of the kernel about sockets, while they run.

A seccomp filter is put on the program before it begins; nothing that it starts can take it off. Before each
of these calls the kernel asks here (SECCOMP_RET_USER_NOTIF, Linux 5.9), and the call goes on as it is.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import select
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from patience import PATIENCE_S

CALLS = {
    41: "socket",
    42: "connect",
    44: "sendto",
    46: "sendmsg",
    49: "bind",
    307: "sendmmsg",
    425: "io_uring_setup",
    438: "pidfd_getfd",
}
"""On x86-64. The last two would be other ways to a connection: what they lead to is not seen here."""

ADDRESSES = {"connect": (1, 2), "bind": (1, 2), "sendto": (4, 5)}
"""Which arguments are an address and its length."""

MESSAGES = ("sendmsg", "sendmmsg")
"""An address and its length are the first words of what is sent."""

LONGEST = 128
AUDIT_ARCH_X86_64 = 0xC000003E
ALLOW, NOTIFY, KILL = 0x7FFF0000, 0x7FC00000, 0x80000000
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
PIDFD_GETFD = 438
RECEIVE, SEND = 0xC0502100, 0xC0182101
"""ioctl(2) of a listener."""

_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_RESPONSE = struct.Struct("=QqiI")
CONTINUE = 1

BEGIN = """
import ctypes, os, sys
filter = ctypes.create_string_buffer(bytes.fromhex(sys.argv[1]))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
program = Program(len(filter) // 8, ctypes.addressof(filter))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
listener = libc.syscall(317, 1, 8, ctypes.byref(program))  # seccomp(2), SECCOMP_FILTER_FLAG_NEW_LISTENER
os.write(int(sys.argv[2]), str(listener if listener >= 0 else -ctypes.get_errno()).encode())
os.close(int(sys.argv[2]))
os.read(int(sys.argv[3]), 1)
os.close(int(sys.argv[3]))
os.execvp(sys.argv[4], sys.argv[4:])
"""


@dataclass(frozen=True, order=True)
class Call:
    """One system call."""

    name: str
    family: str
    """AF_UNIX, AF_INET; empty where there is none."""

    address: str = ""
    """The name of a unix socket, "@" before one in the abstract namespace."""


class Watch:
    """A program whose calls are seen."""

    def __init__(self, process: subprocess.Popen[str], listener: int) -> None:
        self.process = process
        self.calls: set[Call] = set()
        self._listener = listener
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hear no more; who asks then is told that there is no such call."""
        self._is_over.set()
        self._thread.join()
        os.close(self._listener)

    def _answer(self) -> None:
        waiting = select.poll()
        waiting.register(self._listener, select.POLLIN)
        while not self._is_over.is_set():
            if any(events & select.POLLIN for _, events in waiting.poll(100)):
                self._answer_one()

    def _answer_one(self) -> None:
        notification = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(self._listener, RECEIVE, notification)
            number, pid, _, call, _, _, *arguments = _NOTIFICATION.unpack(notification)
            if (seen := _seen(CALLS[call], pid, arguments)) is not None:
                self.calls.add(seen)
            fcntl.ioctl(self._listener, SEND, _RESPONSE.pack(number, 0, 0, CONTINUE))
        except (FileNotFoundError, ProcessLookupError):
            pass  # who asked has been killed meanwhile


@contextmanager
def watched(command: Sequence[str], **options: Any) -> Iterator[Watch]:
    """Run a command until the block ends, with an eye on its sockets; the options are those of Popen."""
    if platform.machine() != "x86_64":
        pytest.skip("the numbers of the calls are those of x86-64")
    told, telling = os.pipe()
    waits, gate = os.pipe()
    begin = [sys.executable, "-c", BEGIN, _filter().hex(), str(telling), str(waits), *command]
    with subprocess.Popen(begin, pass_fds=(telling, waits), text=True, **options) as process:
        os.close(telling)
        os.close(waits)
        watch = Watch(process, _listener_of(process.pid, int(os.read(told, 32))))
        os.close(told)
        os.close(gate)
        try:
            yield watch
            process.wait(PATIENCE_S)
        finally:
            process.kill()
            watch.close()


def _listener_of(pid: int, number: int) -> int:
    """Return the other end of the filter, which only who has put it on is given."""
    if number < 0:
        pytest.skip(f"the kernel takes no such filter: {os.strerror(-number)}")
    process = os.pidfd_open(pid)
    libc = ctypes.CDLL(None, use_errno=True)
    listener = libc.syscall(PIDFD_GETFD, process, number, 0)
    os.close(process)
    assert listener >= 0, os.strerror(ctypes.get_errno())
    return int(listener)


def _filter() -> bytes:
    """Return the filter: ask about CALLS, let pass what is none of them."""
    lines = [(LOAD, 0, 0, 4), (IF_EQUAL, 1, 0, AUDIT_ARCH_X86_64), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    lines += [(IF_EQUAL, len(CALLS) - place, 0, number) for place, number in enumerate(CALLS)]
    lines += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, NOTIFY)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _seen(name: str, pid: int, arguments: Sequence[int]) -> Call | None:
    """Return what a call is about; None if it goes to a socket that has its address since before."""
    if name == "socket":
        return Call(name, _family(arguments[0] & 0xFFFFFFFF))
    if name not in (*ADDRESSES, *MESSAGES):
        return Call(name, "")
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        if name in MESSAGES:
            place, size = struct.unpack("=QI", os.pread(memory.fileno(), 12, arguments[1]))
        else:
            place, size = (arguments[index] for index in ADDRESSES[name])
        address = os.pread(memory.fileno(), min(size & 0xFFFFFFFF, LONGEST), place) if place else b""
    if len(address) < 2:
        return None
    family = int.from_bytes(address[:2], sys.byteorder)
    return Call(name, _family(family), _path(address[2:]) if family == socket.AF_UNIX else "")


def _path(name: bytes) -> str:
    return f"@{name[1:].decode()}" if name[:1] == b"\0" else name.partition(b"\0")[0].decode()


def _family(number: int) -> str:
    try:
        return socket.AddressFamily(number).name
    except ValueError:
        return str(number)
