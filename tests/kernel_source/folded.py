"""A target with the kernel source on it, and the ledger that its batches make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from kernel_source.following import EVERY, Following, following
from memprobe.ledger import Ledger
from memprobe.session import fold
from memprobe.sources.kernel import KernelOptions
from memprobe.sources.kernel.kit import Kit
from memprobe.vocab.rows import Rows
from patience import PATIENCE_S, until
from programs import Target

Result = TypeVar("Result")

POLL_S = 0.02


@dataclass
class Folded:
    """What the source says goes into a ledger, as in a session."""

    target: Target
    found: Following
    ledger: Ledger = field(default_factory=Ledger)
    _said: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def poll(self) -> None:
        """Take in what has happened."""
        batch = self.found.poll()
        if batch is not None:
            fold(self.ledger, batch, self.target.pid)

    def expect(self, word: str = "", timeout_s: float = PATIENCE_S) -> str:
        """Wait for a line of the target, polling meanwhile; take in all that happened before it."""
        line = self._polled_until(self._said.submit(self.target.expect, word, timeout_s))
        self.poll()
        return line

    def ask(self, line: str, timeout_s: float = PATIENCE_S) -> str:
        """Send a line and wait for the answer, polling meanwhile."""
        self.target.send(line)
        return self.expect("", timeout_s)

    def open(self, pid: int) -> Rows:
        """What the ledger holds to be open in a process, by descriptor."""
        rows = self.ledger.handles.open(pid).rows
        ordered: Rows = rows[np.argsort(rows["descriptor"])]
        return ordered

    def until(self, condition: Callable[[], object]) -> None:
        """Poll until it holds."""

        def holds() -> object:
            self.poll()
            return condition()

        until(holds)

    def _polled_until(self, future: Future[Result]) -> Result:
        while not future.done():
            self.found.source.wait(POLL_S)
            self.poll()
        return future.result()


@contextmanager
def folded(target: Target, options: KernelOptions = EVERY, kit: Kit | None = None) -> Iterator[Folded]:
    """Follow a target into a ledger."""
    with following(target.pid, options, kit) as found:
        yield Folded(target, found)
