"""Nine ways to leak, on request: what the two services have in common.

Nothing of it happens by itself: `LEAKS[kind](n)` forgets n things of a kind. What a program would do instead
is beside each.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import socket
import threading
from collections.abc import Callable

strdup = ctypes.CDLL(None).strdup
strdup.restype, strdup.argtypes = ctypes.c_void_p, [ctypes.c_char_p]


class Answer:
    """What was computed for a request."""

    def __init__(self, number: int) -> None:
        self.number, self.text = number, f"answer {number}"


class Request:
    """A request that knows itself: only the collector can free it."""

    def __init__(self, number: int) -> None:
        self.number, self.body = number, "x" * 500
        self.parent = self

    def reload(self) -> None:
        """Called when the settings have changed."""


class Bus:
    """Calls those who have subscribed."""

    def __init__(self) -> None:
        self.handlers: list[Callable[[], None]] = []

    def subscribe(self, handler: Callable[[], None]) -> None:
        """Add a handler."""
        self.handlers.append(handler)


class Background:
    """An event loop in a thread of its own, started when it is first needed."""

    def __init__(self) -> None:
        self.waiting: set[asyncio.Task[bytes]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, running."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, daemon=True, name="background").start()
        return self._loop

    def expect(self) -> None:
        """Wait for one more reply."""
        self.waiting.add(self.loop.create_task(wait_for_reply(self.loop.create_future())))

    def keep(self, number: int) -> None:
        """Set a time-out."""
        self.loop.call_later(86_400, expire, number)


async def wait_for_reply(reply: asyncio.Future[bytes]) -> bytes:
    """Wait for a reply that never comes."""
    return await reply


def expire(number: int) -> None:
    """Forget a request, in a day."""


def wait_for_answer(answer: threading.Event) -> None:
    """Wait for an answer that nobody sends."""
    answer.wait()


LOGS: list[object] = []
PEERS: list[socket.socket] = []
ANSWERS: dict[int, Answer] = {}
BUS, BACKGROUND = Bus(), Background()


def leak_handles(count: int) -> None:
    """Open the log again and again. Else: `with open(...)`."""
    for _ in range(count):
        LOGS.append(open(os.devnull, "ab"))


def leak_sockets(count: int) -> None:
    """Connect, and forget to hang up. Else: a pool, and `with`."""
    for _ in range(count):
        PEERS.extend(socket.socketpair())


def leak_caches(count: int) -> None:
    """Remember every answer, for ever. Else: `functools.lru_cache(maxsize=...)`."""
    for _ in range(count):
        ANSWERS[len(ANSWERS)] = Answer(len(ANSWERS))


def leak_cycles(count: int) -> None:
    """Make cycles where somebody has switched the collector off. Else: `gc.enable()`, or no cycle."""
    gc.disable()
    for number in range(count):
        Request(number)


def leak_listeners(count: int) -> None:
    """Subscribe, and never unsubscribe. Else: take the handler back when the request is done."""
    for number in range(count):
        BUS.subscribe(Request(number).reload)


def leak_tasks(count: int) -> None:
    """Wait for replies that never come. Else: `asyncio.wait_for(..., timeout)`."""
    for _ in range(count):
        BACKGROUND.loop.call_soon_threadsafe(BACKGROUND.expect)


def leak_timers(count: int) -> None:
    """Set time-outs, and cancel none. Else: `handle.cancel()` when the reply is there."""
    for number in range(count):
        BACKGROUND.loop.call_soon_threadsafe(BACKGROUND.keep, number)


def leak_threads(count: int) -> None:
    """Start threads that never end. Else: `concurrent.futures.ThreadPoolExecutor`."""
    for number in range(count):
        name = f"answer-{number}"
        threading.Thread(target=wait_for_answer, args=(threading.Event(),), daemon=True, name=name).start()


def leak_native(count: int) -> None:
    """Have C copy what nobody frees. Else: `free`."""
    for number in range(count):
        strdup(b"%d" % number * 4000)


LEAKS: dict[str, Callable[[int], None]] = {
    name.removeprefix("leak_"): found for name, found in list(globals().items()) if name.startswith("leak_")
}
MOST_AT_ONCE = 1000


def leak(kind: str, count: int) -> None:
    """Leak so many things of a kind; raises ValueError for what there is not."""
    if kind not in LEAKS:
        raise ValueError(f"there is no kind {kind}: {', '.join(LEAKS)}")
    if not 0 <= count <= MOST_AT_ONCE:
        raise ValueError(f"the number must be from 0 to {MOST_AT_ONCE}")
    LEAKS[kind](count)
