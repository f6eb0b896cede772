"""A running target with the kernel source on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from memprobe.errors import MemprobeError
from memprobe.sources.kernel import KernelOptions, KernelSource, Settings
from memprobe.sources.kernel.kit import Kit
from memprobe.target.cpython.python import attach_python
from memprobe.vocab import Stack
from memprobe.vocab.batch import Batch
from memprobe.vocab.rows import Rows
from patience import until
from target.attaching import threads_of
from target.looking import looked_at

EVERY_STACK = Settings(stack_burst_ns=0)
"""However long one takes: a walk in which the host takes the CPU away would use up what a burst may take."""

EVERY = KernelOptions(settings=EVERY_STACK)


@dataclass
class Following:
    """A source that was started, and all that it has said."""

    source: KernelSource
    batches: list[Batch] = field(default_factory=list)

    def poll(self) -> Batch | None:
        batch = self.source.poll()
        if batch is not None:
            self.batches.append(batch)
        return batch

    def until(self, condition: Callable[[], object]) -> None:
        """Poll until it holds."""

        def holds() -> object:
            self.poll()
            return condition()

        until(holds)

    def table(self, name: str) -> Rows:
        """The rows of all batches together."""
        rows: Rows = np.concatenate([getattr(batch, name) for batch in self.batches])
        return rows

    @property
    def stacks(self) -> dict[int, Stack]:
        return {number: stack for batch in self.batches for number, stack in batch.stacks.items()}

    @property
    def losses(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for batch in self.batches:
            for name, count in batch.losses.items():
                total[name] = total.get(name, 0) + count
        return total

    @property
    def paths(self) -> list[bytes]:
        """The path of each birth."""
        found = []
        for batch in self.batches:
            position = 0
            for size in batch.births["path_bytes"].tolist():
                found.append(batch.paths[position : position + size])
                position += size
            assert position == len(batch.paths)
        return found


@contextmanager
def following(pid: int, options: KernelOptions = EVERY, kit: Kit | None = None) -> Iterator[Following]:
    """Start a source on a process, with its Python if it has one; close it behind."""
    with looked_at(pid) as look:
        python = None
        try:
            (runtime, *_) = look.runtimes()
            python = attach_python(look.memory, runtime, look.mappings, threads_of(look.process))
        except MemprobeError:
            pass
        source = KernelSource(look.process, python, options, kit)
        source.start()
        try:
            yield Following(source)
        finally:
            source.close()
