"""A small service that leaks in all nine ways that memprobe knows, for `make demo`.

Every request forgets something: a file, a socket, an entry of a cache, a cycle that nobody collects, a
listener, a task, a timer, a thread, and memory of C.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import socket
import threading
import time
from collections.abc import Callable

strdup = ctypes.CDLL(None).strdup
strdup.restype, strdup.argtypes = ctypes.c_void_p, [ctypes.c_char_p]


class Cache:
    """Remembers every answer, for ever."""

    def __init__(self) -> None:
        self.answers: dict[int, bytes] = {}

    def remember(self, request: int) -> None:
        """Keep one more answer."""
        self.answers[request] = os.urandom(2048)


class Bus:
    """Calls those who have subscribed."""

    def __init__(self) -> None:
        self.handlers: list[Callable[[], None]] = []

    def subscribe(self, handler: Callable[[], None]) -> None:
        """Add a handler; nobody ever takes one back."""
        self.handlers.append(handler)


class Request:
    """What a request knows; it knows itself, too."""

    def __init__(self, number: int) -> None:
        self.number, self.body = number, "x" * 500
        self.parent = self

    def reload(self) -> None:
        """Called when the settings have changed."""


CACHE, BUS = Cache(), Bus()
LOGS: list[object] = []
PEERS: list[socket.socket] = []


def open_log() -> None:
    """Open the log again, without closing it."""
    LOGS.append(open(os.devnull, "ab"))


def call_backend() -> None:
    """Connect, and forget to hang up."""
    PEERS.extend(socket.socketpair())


def copy_header(request: int) -> None:
    """Have C copy a header that nobody frees."""
    strdup(b"%d" % request * 4000)


def wait_for_answer(answer: threading.Event) -> None:
    """Wait for an answer that nobody sends."""
    answer.wait()


def start_worker(request: int) -> None:
    """Start a thread that never ends."""
    name = f"answer-{request}"
    threading.Thread(target=wait_for_answer, args=(threading.Event(),), daemon=True, name=name).start()


async def wait_for_reply(reply: asyncio.Future[bytes]) -> bytes:
    """Wait for a reply that never comes."""
    return await reply


def expire(request: int) -> None:
    """Forget a request, in a day."""


class Replies:
    """Waits for replies on an event loop of its own."""

    def __init__(self) -> None:
        self.waiting: set[asyncio.Task[bytes]] = set()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True, name="replies").start()

    def expect(self) -> None:
        """Wait for one more reply."""
        self.waiting.add(self.loop.create_task(wait_for_reply(self.loop.create_future())))

    def keep(self, request: int) -> None:
        """Set a time-out that nobody cancels."""
        self.loop.call_later(86_400, expire, request)


REPLIES = Replies()


def is_due(request: int, share: float) -> bool:
    """Tell whether this request is one of a share of them, evenly spread."""
    return int(request * share) > int((request - 1) * share)


def handle(request: int) -> None:
    """Answer one request, and forget something; no two things at a pace that is a multiple of another's."""
    CACHE.remember(request)
    if is_due(request, 0.490):
        copy_header(request)
    if is_due(request, 0.317):
        Request(request)
    if is_due(request, 0.206):
        BUS.subscribe(Request(request).reload)
    if is_due(request, 0.134):
        REPLIES.loop.call_soon_threadsafe(REPLIES.expect)
    if is_due(request, 0.087):
        REPLIES.loop.call_soon_threadsafe(REPLIES.keep, request)
    if is_due(request, 0.0565):
        open_log()
    if is_due(request, 0.0183):
        call_backend()
    if is_due(request, 0.0119):
        start_worker(request)


def serve(pause_s: float) -> None:
    """Handle requests until stopped."""
    gc.disable()  # somebody once measured that it is faster
    for request in range(1_000_000):
        if request == 1000:
            print(f"leaky service: pid {os.getpid()}, {request} requests served", flush=True)
        handle(request)
        time.sleep(pause_s if request > 1000 else 0)


if __name__ == "__main__":
    serve(pause_s=0.01)
