"""What the system calls of a workload cost a program that nobody observes.

An enabled tracepoint makes system calls slower for every process of the machine, also for the twin that the
workload is compared with: what that costs the twin is missing in the difference. So the same calls are made
here, with the tool and without, and the least that they took is compared: a few nanoseconds show in that,
whatever else the machine does.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable

ROUNDS, CALLS = 4_000, 10
"""A tenth to a quarter of a second in all: long enough that the CPU is at its quickest once."""

Calls = Callable[[], None]


def calls_of_a_file(path: str = __file__) -> Calls:
    """Those of the file worker: open, read, close."""

    def call() -> None:
        descriptor = os.open(path, os.O_RDONLY)
        os.read(descriptor, 64)
        os.close(descriptor)

    return call


def calls_of_a_request() -> Calls:
    """Those of the HTTP service, as strace counts them: a read, two writes, and every tenth time a file."""
    near, far = socket.socketpair()
    poll, of_a_file = select.epoll(), calls_of_a_file()
    poll.register(far.fileno(), select.EPOLLIN)
    number = 0

    def call() -> None:
        nonlocal number
        near.send(b"head")
        near.send(b"body")
        far.recv(16)
        number += 1
        if number % 10 == 0:
            poll.poll(0)
            of_a_file()

    return call


def least_s(call: Calls) -> float:
    """The least mean time of a call over many short rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        best = min(best, time.perf_counter() - start)
    return best / CALLS
