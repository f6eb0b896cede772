"""A running target with watchpoints on containers of it, and the ledger that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

import patience
from kernel_source.following import Following, following
from memprobe.blame.containers import Asked, Containers
from memprobe.blame.mutations import Mutations
from memprobe.blame.source import BlameSource
from memprobe.heap.seeking import seek
from memprobe.ledger import Ledger
from memprobe.ledger.insertions import Filled, Flow
from memprobe.session import fold
from memprobe.sources.kernel import KernelOptions
from memprobe.vocab.batch import Batch
from memprobe.vocab.rows import WATCH, Rows, no_rows
from memprobe.vocab.stack import is_standard
from target.looking import looked_at

ONLY = KernelOptions(handles=False, growth=False)


@dataclass
class WatchingContainers:
    """Kernel and blame, as in a run."""

    kernel: Following
    blame: BlameSource
    containers: Containers
    pid: int
    ledger: Ledger = field(default_factory=lambda: Ledger(tree=False))
    batches: list[Batch] = field(default_factory=list)

    def poll(self) -> None:
        for batch in (self.kernel.poll(), self.blame.poll()):
            if batch is not None:
                self.batches.append(batch)
                fold(self.ledger, batch, self.pid)

    def watch(self, *, until: Callable[[], object]) -> None:
        """Poll until it holds."""
        self.blame.wish([one.key for one in self.containers.asked])

        def holds() -> object:
            self.poll()
            return until()

        patience.until(holds, pause_s=0.05)

    def settle(self) -> None:
        """Have all that was seen told."""
        self.blame.settle()
        self.poll()
        self.poll()

    def filled(self, path: str) -> Filled:
        found = self.ledger.filled(self.asked(path).key)
        assert found is not None, path
        return found

    def asked(self, path: str) -> Asked:
        """The one that is called so, not one inside it: a queue has lists of who waits, too."""
        return min((one for one in self.containers.asked if path in one.path), key=lambda one: len(one.path))

    def watches(self, path: str) -> Rows:
        """The rows of one container."""
        rows = np.concatenate([no_rows(WATCH), *(batch.watches for batch in self.batches)])
        chosen: Rows = rows[rows["subject_id"] == self.asked(path).key[1]]
        return chosen

    def hits(self, path: str) -> int:
        return int(self.watches(path)["hits"].sum())

    def seen_s(self, path: str) -> float:
        return float(self.watches(path)["covered_ns"].sum()) / 1e9


@contextmanager
def watching_containers(
    pid: int, wanted: str, budget_pct: float = 0.8, registers: int = 2
) -> Iterator[WatchingContainers]:
    """Watch what is called so, until the block ends."""
    sought = seek(pid, wanted, lambda _: None)
    with looked_at(pid) as look, following(pid, ONLY) as kernel:
        containers = Containers(look.memory, pid, sought)
        points = kernel.source.watchpoints
        assert kernel.source.mutators is not None
        mutations = Mutations(kernel.source.mutators, containers.size_of, seed=0)
        blame = BlameSource(
            points, containers.size_of, budget_pct=budget_pct, registers=registers, mutations=mutations
        )
        blame.start()
        try:
            yield WatchingContainers(kernel, blame, containers, pid)
        finally:
            blame.close()


def by_function(filled: Filled) -> dict[str, Flow]:
    """The flows by the function of their line."""
    return {innermost(flow): flow for flow in filled.flows}


def innermost(flow: Flow) -> str:
    """The innermost function that is no part of the standard library, as 3.10 and before call it, too."""
    name = next(one.function for one in flow.site if not is_standard(one))
    return name.rpartition(".")[2]
