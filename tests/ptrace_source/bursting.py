"""A target whose containers are watched in bursts, by a tracer."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NoReturn

from memprobe.blame.bursting import BurstSource
from memprobe.blame.containers import Asked, Containers
from memprobe.blame.mutations import Mutations
from memprobe.heap.seeking import seek
from memprobe.ledger.insertions import Filled
from memprobe.session import fold
from memprobe.sources.ptrace.options import PtraceOptions
from memprobe.vocab.batch import Batch
from memprobe.vocab.bursts import Looked, Window
from patience import until
from ptrace_source.killing import family
from ptrace_source.tracing import Traced, is_free, traced, tracers
from target.looking import looked_at

LOUD = 1_000_000.0
"""A budget that no target exhausts: what is right is asked here, not what it costs."""

LIFE_S = 0.2
"""How long memprobe makes bursts at most before it is killed."""

CALM = PtraceOptions(slowdown_pct=100.0, slice_ns=10**15)
"""A window that does not end by itself: bursts are made in it."""


@dataclass
class Bursting:
    """A traced target, and what bursts have shown of its containers."""

    run: Traced
    source: BurstSource
    containers: Containers
    batches: list[Batch] = field(default_factory=list)

    def poll(self) -> Batch:
        """Make another burst, and take in what it tells."""
        self.run.poll()
        batch = self.source.poll()
        assert batch is not None
        self.run.poll()  # the stacks
        self.batches.append(batch)
        fold(self.run.ledger, batch, self.run.pid)
        return batch

    def asked(self, name: str) -> Asked:
        """The container that is called so."""
        return min((one for one in self.containers.asked if name in one.path), key=lambda one: len(one.path))

    def hits(self, name: str) -> list[int]:
        """Burst by burst."""
        rows = (row for batch in self.batches for row in batch.watches)
        return [int(row["hits"]) for row in rows if row["subject_id"] == self.asked(name).key[1]]

    def filled(self, name: str) -> Filled:
        """What has come of it."""
        found = self.run.ledger.filled(self.asked(name).key)
        assert found is not None, name
        return found


@contextmanager
def bursting(pid: int, wanted: str, options: PtraceOptions = CALM) -> Iterator[Bursting]:
    """Watch what is called so in bursts, until the block ends."""
    sought = seek(pid, wanted, lambda _: None)
    with looked_at(pid) as look, traced(pid, options) as run:
        containers = Containers(look.memory, pid, sought)
        assert run.source.mutators is not None
        source = BurstSource(Mutations(run.source.mutators, containers.size_of, seed=0), tier=1)
        source.start()
        source.afford(LOUD)
        source.wish([one.key for one in containers.asked])
        yield Bursting(run, source, containers)


def size_address(pid: int, wanted: str) -> int:
    """Where a container has its size."""
    sought = seek(pid, wanted, lambda _: None)
    with looked_at(pid) as look:
        containers = Containers(look.memory, pid, sought)
        size = containers.size_of(*containers.asked[0].key)
        assert size is not None
        return size.address


@contextmanager
def bursts_for_ever(pid: int, address: int) -> Iterator[int]:
    """A memprobe of its own that makes one burst after the other until it is killed; its pid."""
    memprobe = os.fork()
    if memprobe == 0:
        _make_bursts(pid, address)
    try:
        yield memprobe
    finally:
        os.kill(memprobe, signal.SIGKILL)
        os.waitpid(memprobe, 0)


def _make_bursts(pid: int, address: int) -> NoReturn:
    try:
        with traced(pid, CALM) as run:
            while True:
                run.poll()
                one_burst(run, address, hits=200)
    finally:
        os._exit(1)


def killed_in_a_burst(pid: int, address: int, chance: random.Random) -> None:
    """Make bursts and kill somebody, or all; return when nobody traces it any more."""
    with bursts_for_ever(pid, address) as memprobe:
        until(lambda: str(family(memprobe)[-1]) in tracers(pid))
        time.sleep(chance.uniform(0, LIFE_S))
        victims = family(memprobe)
        if chance.random() < 0.5:
            victims = [chance.choice(victims), memprobe]
        for victim in victims:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        until(lambda: is_free(pid))


def one_burst(run: Traced, address: int, hits: int) -> Window | None:
    """Watch a word once."""
    assert run.source.mutators is not None
    return run.source.mutators.window([Looked(0, address)], 0.25, hits)


def a_burst(run: Traced, address: int, hits: int) -> Window:
    """The same until it has seen something: threads may have had no chance to run."""
    found: list[Window] = []

    def has_hits() -> bool:
        window = one_burst(run, address, hits)
        if window is not None and window.seen[0] is not None and window.seen[0].hits:
            found.append(window)
        return bool(found)

    until(has_hits)
    return found[0]
