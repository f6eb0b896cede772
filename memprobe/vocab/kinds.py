"""What a descriptor is, and how a socket stands: the numbers in tables, and the names in reports.

Without numpy, so that commands which need no tables start quickly.
"""

from __future__ import annotations

from enum import IntEnum


class HandleKind(IntEnum):
    """What a descriptor is; lower-case names are those of the report."""

    UNKNOWN = 0
    """Nobody has looked yet: a dup, a descriptor that was received."""

    FILE = 1
    SOCKET = 2
    PIPE = 3
    EPOLL = 4
    EVENTFD = 5
    TIMERFD = 6
    SIGNALFD = 7
    INOTIFY = 8
    MEMFD = 9
    PIDFD = 10
    IO_URING = 11
    TTY = 12
    OTHER = 13


class RegionKind(IntEnum):
    """What a part of an address space is for."""

    FILE = 1
    """Code and data of files."""

    PYTHON = 2
    """Arenas of Python's own allocator."""

    HEAP = 3
    """Heaps of C."""

    STACK = 4
    ANONYMOUS = 5
    """Other anonymous memory: large blocks of malloc, mmap."""

    OTHER = 6
    """Devices, and what the kernel maps."""


class SocketState(IntEnum):
    """The states of a TCP socket, as include/net/tcp_states.h numbers them."""

    NONE = 0
    """Not a socket, or one without a state."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT1 = 4
    FIN_WAIT2 = 5
    TIME_WAIT = 6
    CLOSE = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11
    NEW_SYN_RECV = 12
