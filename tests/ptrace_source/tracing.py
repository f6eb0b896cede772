"""A target whose system calls are traced in windows, and the ledger that comes of it and of pictures."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from memprobe.errors import MemprobeError
from memprobe.ledger import Ledger
from memprobe.session import fold
from memprobe.sources.procfs import ProcfsOptions, ProcfsSource
from memprobe.sources.ptrace.options import PtraceOptions
from memprobe.sources.ptrace.source import PtraceSource
from memprobe.sources.ptrace.survivors import AT_ONCE
from memprobe.target.cpython.python import attach_python
from memprobe.vocab import Stack
from memprobe.vocab.batch import Batch
from memprobe.vocab.rows import Rows
from patience import PATIENCE_S
from target.attaching import threads_of
from target.looking import looked_at

POLL_S = 0.02
NOTHING = Batch("", 0, 0)

WHOLE = PtraceOptions(tree=True, slice_ns=10**15)
"""One window that does not end by itself."""

MANY = PtraceOptions(tree=True, slowdown_pct=100.0, slice_ns=2_000_000)
"""Many windows with short pauses."""

SHORT = PtraceOptions(tree=True, slowdown_pct=5.0, slice_ns=300_000)
"""Windows that end though little happens."""


@dataclass
class Traced:
    """A source that was started, what it has said, and the ledger of that."""

    pid: int
    source: PtraceSource
    pictures: ProcfsSource
    ledger: Ledger
    batches: list[Batch] = field(default_factory=list)

    def poll(self) -> None:
        """Take in what has happened."""
        batch = self.source.poll()
        if batch is not None:
            self.batches.append(batch)
            fold(self.ledger, batch, self.pid)

    def picture(self) -> None:
        """Take in what was told, see what of it is still there, and then what /proc shows."""
        for _ in range(len(self.source.survivors) // AT_ONCE + 2):
            self.poll()
        self.pictures.request_pictures()
        batch = self.pictures.poll()
        if batch is not None:
            fold(self.ledger, batch, self.pid)

    def until(self, condition: Callable[[], object]) -> None:
        """Poll until it holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited too long; windows: {self.source.windows}"
            self.source.wait(POLL_S)
            self.poll()

    def table(self, name: str) -> Rows:
        """The rows of all batches together."""
        rows: Rows = np.concatenate([getattr(batch, name) for batch in (NOTHING, *self.batches)])
        return rows

    @property
    def stacks(self) -> dict[int, Stack]:
        return {number: stack for batch in self.batches for number, stack in batch.stacks.items()}

    @property
    def losses(self) -> set[str]:
        return {name for batch in self.batches for name in batch.losses}

    def open(self, pid: int) -> Rows:
        """What the ledger holds to be open in a process."""
        return self.ledger.handles.open(pid).rows


@contextmanager
def traced(pid: int, options: PtraceOptions | None = None) -> Iterator[Traced]:
    """Trace a process, with its Python if it has one; let it go behind."""
    with looked_at(pid) as look:
        python = None
        with suppress(MemprobeError):
            (runtime, *_) = look.runtimes()
            python = attach_python(look.memory, runtime, look.mappings, threads_of(look.process))
        source = PtraceSource(look.process, python, options)
        tree = source.options.tree
        pictures = ProcfsSource(look.process, None, ProcfsOptions(tree=tree, picture_share=1.0))
        pictures.start()
        source.start()
        try:
            yield Traced(pid, source, pictures, Ledger(tree=tree))
        finally:
            source.close()
            pictures.close()


def tracers(pid: int) -> set[str]:
    """Who traces the threads of a process; "0" is nobody."""
    found = set()
    for tid in os.listdir(f"/proc/{pid}/task"):
        with suppress(OSError):
            text = Path(f"/proc/{pid}/task/{tid}/status").read_text()
            found.add(text.partition("TracerPid:\t")[2].partition("\n")[0])
    return found


def states(pid: int) -> set[str]:
    """The states of its threads: t is stopped by a tracer, T by a signal."""
    found = set()
    for tid in os.listdir(f"/proc/{pid}/task"):
        with suppress(OSError):
            found.add(Path(f"/proc/{pid}/task/{tid}/stat").read_text().rpartition(")")[2].split()[0])
    return found


def is_free(pid: int) -> bool:
    """Whether nobody traces a process or has left it standing."""
    return tracers(pid) == {"0"} and not {"t", "T"} & states(pid)
