"""Runs that never were, told second by second: what the kernel, the heap and /proc would have said."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ledger.kernel_model import Kernel
from memprobe.abi import BirthHow, GrowthHow
from memprobe.config import DEFAULTS, Config
from memprobe.detectors.verdicts import Verdicts
from memprobe.ledger import Ledger
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch
from memprobe.vocab.finding import Finding, Kind
from memprobe.vocab.kinds import HandleKind, SocketState
from memprobe.vocab.rows import NOT_MEASURED, Rows
from memprobe.vocab.stack import Frame, Stack
from memprobe.vocab.subject import Subject, What

SECOND = 1_000_000_000
MIB = 1 << 20
OBJECTS = Subject(What.MEMORY, "objects")
BLOCKS = Subject(What.MEMORY, "blocks without an object")

FILE = 1
ACCEPTED = 2
OTHER_LINE = 3
C_THREAD = 4
STACKS = {
    FILE: Stack((Frame("Store.load", "/srv/shop/store.py", 12), Frame("main", "/srv/shop/app.py", 40)), True),
    ACCEPTED: Stack(
        (
            Frame("socket.accept", "/usr/lib/python3.11/socket.py", 293),
            Frame("Server.serve", "/srv/shop/server.py", 21),
        ),
        True,
    ),
    OTHER_LINE: Stack((Frame("Other.run", "/srv/shop/other.py", 7),), True),
    C_THREAD: Stack((Frame("<no Python code>", "", 0),), True),
}


@dataclass
class Story:
    """One process, watched with births seen unless it is `polled`."""

    polled: bool = False
    numbers: dict[str, int] = field(default_factory=lambda: {"threads": 1, "fd_limit": 4096})
    """What a sample says beside the descriptors."""

    heap: dict[Subject, tuple[int, int]] = field(default_factory=dict)
    """What a look at the heap counts: number and bytes."""

    grown_at: dict[int, int] = field(default_factory=dict)
    """By stack: bytes that were touched for the first time in the second that is told."""

    mapped_at: dict[int, int] = field(default_factory=dict)
    """By stack: bytes that were mapped in the second that is told."""

    states: dict[int, SocketState] = field(default_factory=dict)
    """By stack: the state of the sockets that it opens."""

    unsent_bytes: int = 0
    """What waits in each socket to be sent."""

    look_every_s: int = 4
    config: Config = DEFAULTS

    def __post_init__(self) -> None:
        self.kernel = Kernel()
        self.pid = self.kernel.process()
        self.ledger = Ledger()
        self.verdicts = Verdicts(self.pid, self.config)
        self.second = 0
        self._subjects: dict[Subject, int] = {}

    def open(self, stack: int, count: int = 1) -> list[int]:
        how = BirthHow.ACCEPT if stack == ACCEPTED else BirthHow.OPEN
        return [self.kernel.open(self.pid, stack, how) for _ in range(count)]

    def close(self, *descriptors: int) -> None:
        for descriptor in descriptors:
            self.kernel.close(self.pid, descriptor)

    def attach(self) -> None:
        """What was open before is inherited."""
        self.kernel.batch()
        self.kernel.census(self.pid)

    def tell(self) -> None:
        """A second has passed."""
        self.second += 1
        self.kernel.now_ns = max(self.kernel.now_ns, self.second * SECOND)
        self._fold(self._kernel_batch())
        if (self.second - 1) % self.look_every_s == 0:
            self._fold(self._heap_batch())
        self._fold(replace(self._batch("procfs"), samples=self._sample()))

    def findings(self, kind: Kind | None = None) -> list[Finding]:
        self.verdicts.settle(self.ledger)
        return [one for one in self.verdicts.verdict.findings if kind in (None, one.kind)]

    def sure(self) -> list[Finding]:
        return [one for one in self.findings() if one.confidence >= 0.5]

    def _batch(self, source: str) -> Batch:
        return Batch(source, (self.second - 1) * SECOND, self.kernel.now_ns)

    def _kernel_batch(self) -> Batch:
        if self.polled or self.second % 3 == 1:
            self._take_picture()
        batch = self.kernel.batch()
        if self.polled:
            return replace(self._batch("procfs"), handles=batch.handles, drained_ns=None)
        return replace(batch, stacks=STACKS if self.second == 1 else {}, growth=self._growth())

    def _take_picture(self) -> None:
        self.kernel.picture(self.pid)
        picture = self.kernel.pictures[-1]
        stacks = [stack for _, stack in self.kernel.tables[self.kernel.table_of[self.pid]].values()]
        for row, stack in enumerate(stacks):
            kind = HandleKind.SOCKET if stack == ACCEPTED else HandleKind.FILE
            picture.rows["kind"][row] = kind
            picture.rows["state"][row] = self.states.get(stack, SocketState.NONE)
            picture.rows["send_queue_bytes"][row] = self.unsent_bytes

    def _growth(self) -> Rows:
        ways = ((GrowthHow.RSS_ANONYMOUS, self.grown_at), (GrowthHow.MMAP, self.mapped_at))
        grown = [(stack, self.pid, how, size, 0, 1) for how, at in ways for stack, size in at.items()]
        return np.array(grown, rows.GROWTH)

    def _heap_batch(self) -> Batch:
        news = {self._subjects.setdefault(one, len(self._subjects) + 1): one for one in self.heap}
        table = np.zeros(len(self.heap), rows.POPULATION)
        table["time_ns"], table["pid"] = self.kernel.now_ns, self.pid
        table["oldest_ns"] = NOT_MEASURED
        for row, (subject, (count, size)) in enumerate(self.heap.items()):
            table["subject_id"][row] = self._subjects[subject]
            table["count"][row], table["bytes"][row] = count, size
        return replace(self._batch("heap"), populations=table, subjects=news)

    def _sample(self) -> Rows:
        table = rows.unmeasured(1)
        table["time_ns"], table["pid"] = self.kernel.now_ns, self.pid
        table["fds"] = len(self.kernel.tables[self.kernel.table_of[self.pid]])
        for name, number in self.numbers.items():
            table[name] = number
        return table

    def _fold(self, batch: Batch) -> None:
        self.verdicts.fold(self.ledger, self.ledger.fold(batch), batch.samples)
