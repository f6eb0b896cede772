"""Read a target in a child process, because a target can make its reader wait for ever.

A page that a userfaultfd handler never fills, or a file behind a hung FUSE server, blocks
`process_vm_readv`, `/proc/<pid>/mem` and even `/proc/<pid>/cmdline` until the reader is killed: no
signal handler runs in that state and no timeout ends it. So a child does the reading, may be killed at
any time, and sends what it found through a pipe.

The child is given up once it has been asleep for BLOCKED_LIMIT_S seconds in all without using the CPU.
A slow machine does not count; a target that fills each page after a second does. A child that waits on
purpose says so (`call_telling`), which counts as work.
"""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from memprobe import errors
from memprobe.errors import MemprobeError, NoMoreProcesses, TargetBlocksReading
from memprobe.native.lifetime import die_with
from memprobe.target.forking import fork

Item = TypeVar("Item")
Tell = Callable[[Any], None]
"""What a child calls to say how far it is; from any thread, but not too often."""

BLOCKED_LIMIT_S = 6.0
"""Six seconds leave room for a binary on a slow disk, and the whole command ends within ten."""

POLL_S = 0.25
"""How often the parent looks whether the child makes progress."""

LENGTH = struct.Struct("<Q")


class ReaderDied(Exception):
    """The child ended without an answer: somebody killed it, or memprobe has a bug."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one call: its result, or the exception that it raised."""

    result: Any = None
    error: Exception | None = None

    def get(self) -> Any:
        """The result, or raise the exception here."""
        if self.error is not None:
            raise self.error
        return self.result


def call(function: Callable[[], Any], *, blocked_limit_s: float = BLOCKED_LIMIT_S) -> Any:
    """Call `function` in a child and return its result, or raise what it raised.

    The result must be plain data that JSON can hold. Raises TargetBlocksReading if the child is held up, and
    NoMoreProcesses if there can be none.
    """
    (outcome,) = call_each(lambda _: function(), [None], blocked_limit_s=blocked_limit_s)
    return outcome.get()


def call_telling(
    function: Callable[[Tell], Any], hear: Tell, *, blocked_limit_s: float = BLOCKED_LIMIT_S
) -> Any:
    """Call `function` as `call` does; what it tells while it works is given to `hear` here.

    What is told must be plain data, too. Whoever tells something is not held up.
    """
    reader = _Reader(lambda _, tell: function(tell), [None])
    try:
        return reader.receive(blocked_limit_s, hear).get()
    finally:
        reader.end()


def call_each(
    function: Callable[[Item], Any], items: Sequence[Item], *, blocked_limit_s: float = BLOCKED_LIMIT_S
) -> Iterator[Outcome]:
    """Call `function` on every item in a child; yield one outcome for each, in order.

    An item on which the child is held up or dies costs only that item: a new child does the rest.
    """
    done = 0
    while done < len(items):
        reader = _Reader(lambda item, _: function(item), items[done:])
        try:
            for _ in items[done:]:
                done += 1
                outcome = reader.receive(blocked_limit_s)
                yield outcome
                if reader.is_lost:
                    break
        finally:
            reader.end()


class _Reader:
    """The parent's view of a child that works through a list of items."""

    def __init__(self, function: Callable[[Item, Tell], Any], items: Sequence[Item]) -> None:
        self.is_lost = False
        self._received = bytearray()
        parent = os.getpid()
        self._pipe, answers = os.pipe()
        try:
            self._pid = fork()
        except NoMoreProcesses:
            os.close(self._pipe)
            os.close(answers)
            raise
        if self._pid == 0:
            os.close(self._pipe)
            be_the_child(parent, answers, function, items)
        os.close(answers)
        self._waiting = select.poll()
        self._waiting.register(self._pipe, select.POLLIN)

    def receive(self, blocked_limit_s: float, hear: Tell = lambda _: None) -> Outcome:
        """The next outcome; or what kept it from coming."""
        blocked_s, used = 0.0, -1
        while True:
            if (answer := self._next_answer()) is not None:
                match json.loads(answer):
                    case {"told": told}:
                        hear(told)
                        blocked_s = 0.0
                        continue
                    case outcome:
                        return unpacked(outcome)
            if self._waiting.poll(POLL_S * 1000):
                if not self._read_more():
                    return self._lost(ReaderDied(f"the reading process ended with {self._status()}"))
                continue
            sleeping, now_used = progress(self._pid)
            blocked_s += POLL_S if sleeping and now_used == used else 0.0
            used = now_used
            if blocked_s >= blocked_limit_s:
                return self._lost(blocked(blocked_s))

    def end(self) -> None:
        """Kill the child if it still runs, and collect it."""
        os.close(self._pipe)
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            _collect(self._pid)

    def _lost(self, error: Exception) -> Outcome:
        self.is_lost = True
        return Outcome(error=error)

    def _read_more(self) -> bool:
        chunk = os.read(self._pipe, 1 << 20)
        self._received += chunk
        return bool(chunk)

    def _next_answer(self) -> bytes | None:
        if len(self._received) < LENGTH.size:
            return None
        end = LENGTH.size + LENGTH.unpack_from(self._received)[0]
        if len(self._received) < end:
            return None
        answer = bytes(self._received[LENGTH.size : end])
        del self._received[:end]
        return answer

    def _status(self) -> str:
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        if os.WIFSIGNALED(status):
            return signal.Signals(os.WTERMSIG(status)).name
        return f"exit code {os.waitstatus_to_exitcode(status)}"


def _collect(child: int) -> None:
    # A FUSE server that has taken a request holds its reader even against SIGKILL: never wait for that.
    deadline = time.monotonic() + 1.0
    while os.waitpid(child, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.001)


def progress(child: int) -> tuple[bool, int]:
    """Whether the child sleeps, and the clock ticks of CPU that it has used."""
    with open(f"/proc/{child}/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    return fields[0] in (b"S", b"D"), int(fields[11]) + int(fields[12])


def blocked(seconds: float) -> TargetBlocksReading:
    """The error for a child that was given up."""
    return TargetBlocksReading(
        f"gave up after {seconds:.0f} s: a read of the target's memory, or of its files in /proc, does not "
        "return (a userfaultfd handler or a hung file system holds it)",
        remedy="try again when the target fills its pages again, or that file system answers",
    )


def be_the_child(
    parent: int, answers: int, function: Callable[[Item, Tell], Any], items: Sequence[Item]
) -> NoReturn:
    """Answer for every item, and end: what a process does right after it was forked."""
    one_at_a_time = threading.Lock()

    def send(packed: bytes) -> None:
        with one_at_a_time:
            _send(answers, packed)

    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to both; the parent ends the child
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        die_with(parent)
        for item in items:
            send(_attempt(function, item, lambda told: send(json.dumps({"told": told}).encode())))
        os._exit(0)
    finally:
        os._exit(1)  # never back into the parent's stack, never through its exit handlers


def _attempt(function: Callable[[Item, Tell], Any], item: Item, tell: Tell) -> bytes:
    """What becomes of one item, as JSON: bytes of the target never pass through a pickle."""
    try:
        answer = {"result": function(item, tell)}
        return json.dumps(answer).encode()
    except MemprobeError as error:
        answer = {"error": [type(error).__name__, error.fact, error.remedy]}
    except Exception as error:  # noqa: BLE001 (the parent raises it again)
        import traceback

        answer = {"bug": [f"{type(error).__name__}: {error}", traceback.format_exc()]}
    return json.dumps(answer).encode()


def unpacked(answer: Any) -> Outcome:
    """Return what a child sent for one item."""
    match answer:
        case {"error": [name, fact, remedy]}:
            return Outcome(error=getattr(errors, name)(fact, remedy=remedy))
        case {"bug": [what, trace]}:
            bug = ReaderDied(what)
            bug.add_note(f"in the reading process:\n{trace}")
            return Outcome(error=bug)
        case {"result": result}:
            return Outcome(result)
    return Outcome(error=ReaderDied("the reading process sent nonsense"))


def _send(answers: int, packed: bytes) -> None:
    message = memoryview(LENGTH.pack(len(packed)) + packed)
    while message:
        message = message[os.write(answers, message) :]
