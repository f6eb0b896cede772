"""Say how far a look at a heap is, from the child that looks to whoever waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Tell = Callable[[Any], None]
Progress = Callable[[int, int], None]
"""Called by who works, with how much is done and how much there is."""

EVERY_S = 0.15
"""Between two words; a bar moves smoothly at that."""


class Telling:
    """Tells steps and how much of each is done.

    It speaks only when something has moved: whoever is held up by the target must not seem to get on (see
    target/killable).
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def step(self, name: str) -> Progress:
        """Tell that a step begins; what is returned tells how far it is."""
        self._say({"step": name})
        told_s, last = time.monotonic(), -1

        def progress(done: int, total: int) -> None:
            nonlocal told_s, last
            now_s = time.monotonic()
            if done != last and now_s - told_s >= EVERY_S and total > 0:
                told_s, last = now_s, done
                self._say({"step": name, "done": min(done / total, 1.0)})

        return progress

    def wait(self, name: str, seconds: float, until: Callable[[], bool]) -> None:
        """Wait on purpose, and say so; not longer than until something has come about."""
        begin = time.monotonic()
        while (waited := time.monotonic() - begin) < seconds and not until():
            self._say({"step": name, "done": waited / seconds})
            time.sleep(min(EVERY_S, seconds - waited))

    def _say(self, told: dict[str, Any]) -> None:
        with suppress(OSError):  # whoever listened may be gone
            self._tell(told)
