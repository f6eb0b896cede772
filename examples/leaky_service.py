"""A small service that leaks in four ways, for `make demo`.

Every request keeps a file open, forgets a socket, grows a cache that nothing empties, and
now and then leaves a thread waiting for an answer that never comes.
"""

from __future__ import annotations

import os
import socket
import threading
import time


class Cache:
    """Remembers every answer, for ever."""

    def __init__(self) -> None:
        self.answers: dict[int, bytes] = {}

    def remember(self, request: int) -> None:
        """Keep one more answer."""
        self.answers[request] = os.urandom(2048)


CACHE = Cache()
LOGS: list[object] = []
PEERS: list[socket.socket] = []


def open_log() -> None:
    """Open the log again, without closing it."""
    LOGS.append(open(os.devnull, "ab"))


def call_backend() -> None:
    """Connect, and forget to hang up."""
    PEERS.extend(socket.socketpair())


def wait_for_answer(answer: threading.Event) -> None:
    """Wait for an answer that nobody sends."""
    answer.wait()


def handle(request: int) -> None:
    """Answer one request, and leak a little of everything."""
    CACHE.remember(request)
    if request % 20 == 0:
        open_log()
    if request % 50 == 0:
        call_backend()
    if request % 200 == 0:
        thread = threading.Thread(target=wait_for_answer, args=(threading.Event(),), daemon=True)
        thread.name = f"answer-{request}"
        thread.start()


def serve(pause_s: float) -> None:
    """Handle requests until stopped."""
    for request in range(1_000_000):
        if request == 1000:
            print(f"leaky service: pid {os.getpid()}, {request} requests served", flush=True)
        handle(request)
        time.sleep(pause_s if request > 1000 else 0)


if __name__ == "__main__":
    serve(pause_s=0.01)
