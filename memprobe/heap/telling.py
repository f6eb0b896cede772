"""Say how far a look at a heap is, from the child that looks to whoever waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

Tell = Callable[[Any], None]

EVERY_S = 0.15
"""Between two words; a bar moves smoothly at that."""


class Telling:
    """Tells steps and how much of each is done.

    A thread asks for that while C code works, and is silent while nothing moves: whoever is held up by the
    target must not seem to get on (see target/killable).
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    @contextmanager
    def step(self, name: str, total: int = 0, done: Callable[[], int] | None = None) -> Iterator[None]:
        """Tell that a step goes on until the block ends; `done` counts up to about `total`."""
        self.say({"step": name})
        if done is None or total <= 0:
            yield
            return
        ended = threading.Event()
        thread = threading.Thread(target=self._follow, args=(name, total, done, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def wait(self, name: str, seconds: float, until: Callable[[], bool]) -> None:
        """Wait on purpose, and say so; not longer than until something has come about."""
        begin = time.monotonic()
        while (waited := time.monotonic() - begin) < seconds and not until():
            self.say({"step": name, "done": waited / seconds})
            time.sleep(min(EVERY_S, seconds - waited))

    def say(self, told: dict[str, Any]) -> None:
        """Tell something; whoever listened may be gone."""
        with suppress(OSError):
            self._tell(told)

    def _follow(self, name: str, total: int, done: Callable[[], int], ended: threading.Event) -> None:
        last = -1
        while not ended.wait(EVERY_S):
            now = done()
            if now != last:
                self.say({"step": name, "done": min(now / total, 1.0)})
                last = now
