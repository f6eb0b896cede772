"""Calls that may never return, made by a thread that nobody has to wait for.

A read of a page that a userfaultfd handler never fills ends with SIGKILL only. What looks once at a
process does its reading in a child (killable.py). A run of hours reads a little every second, and holds what
it has read: so a thread does it, and is left behind where it hangs. It ends with memprobe.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")


class GaveUp(Exception):
    """The call did not return in time."""


class Patience:
    """Makes one call after the other, each in at most a given time."""

    def __init__(self) -> None:
        self.given_up = 0
        """Calls that were not waited for, or not begun because one before them hangs."""
        self._owner = os.getpid()
        self._requests: SimpleQueue[Any] = SimpleQueue()
        self._hanging: SimpleQueue[Any] | None = None
        self._thread: threading.Thread | None = None

    def call(self, function: Callable[[], Result], limit_s: float) -> Result:
        """Return what the function returns, or raise what it raises; GaveUp if it takes too long.

        As long as it hangs, further calls are given up at once. In a forked child, which has no such thread
        and may be killed itself, the function is called as it is.
        """
        if os.getpid() != self._owner:
            return function()
        if self._hanging is not None and self._hanging.empty():
            self.given_up += 1
            raise GaveUp
        self._hanging = None
        answers: SimpleQueue[Any] = SimpleQueue()
        self._requests.put((function, answers))
        succeeded, result = self._answer(answers, limit_s)
        if not succeeded:
            raise result
        return result  # type: ignore[no-any-return]

    def close(self) -> None:
        """Let the thread go, unless it hangs. May be called twice."""
        self._requests.put(None)

    def _answer(self, answers: SimpleQueue[Any], limit_s: float) -> Any:
        thread = self._started()
        while True:
            try:
                return answers.get(timeout=limit_s)
            except Empty:
                if _is_asleep(thread):  # else the machine is slow
                    self._hanging = answers
                    self.given_up += 1
                    raise GaveUp from None

    def _started(self) -> threading.Thread:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=_work, args=(self._requests,), daemon=True)
            self._thread.start()
        return self._thread


def _work(requests: SimpleQueue[Any]) -> None:
    while (request := requests.get()) is not None:
        function, answers = request
        try:
            answer = (True, function())
        except BaseException as error:  # noqa: BLE001 (the caller raises it again)
            answer = (False, error)
        answers.put(answer)
        del request, function, answers, answer


def _is_asleep(thread: threading.Thread) -> bool:
    try:
        with open(f"/proc/self/task/{thread.native_id}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] in (b"S", b"D")
    except OSError:
        return True
