"""One process as the child holds it: what surveys its heap, and what re-reads lengths between two surveys."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count

import numpy as np

from memprobe.errors import PidRecycled, TargetExited
from memprobe.heap.containers import Containers, Life
from memprobe.heap.looker.numbering import Numbering
from memprobe.heap.reaching import translated
from memprobe.heap.subjects.counted import Counted
from memprobe.heap.subjects.surveyor import Surveyor
from memprobe.target.inspection.opening import opened
from memprobe.vocab import TargetId
from memprobe.vocab.rows import LOOK, POPULATION, Rows
from memprobe.vocab.subject import Subject

MOST_SUBJECTS = 4096
"""Of one look. What a surveyor says is bounded already; this bounds memprobe, whatever it is."""

MOST_WATCHED = 128
"""Collections whose lengths are read every second: those that grow, then the largest."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look came to."""

    look: Rows
    """One LOOK row."""

    populations: Rows
    subjects: dict[int, Subject]
    remarks: tuple[str, ...]


class Followed:
    """One process whose heap is looked at again and again."""

    def __init__(self, target: TargetId, numbers: count[int]) -> None:
        """Take hold of it; raises what `inspect` raises of what cannot be looked into."""
        self.target = target
        with ExitStack() as held:
            found = held.enter_context(opened(target.pid))
            if found.process.id != target:
                raise PidRecycled(f"the pid {target.pid} belongs to another process now")
            if found.python is None:
                assert found.obstacle is not None
                raise found.obstacle
            self._process = found.process
            self._surveyor = Surveyor(found.process, found.python)
            self._containers = Containers(found.python)
            self._held = held.pop_all()
        self._numbering = Numbering(target.pid, numbers)
        self._keys: dict[int, str] = {}
        """Of the collections that are watched, by address."""
        self._lengths: dict[str, int] = {}
        """Of all single collections, at the look before."""

    def close(self) -> None:
        """Let go of it."""
        self._held.close()

    def look(self) -> Looked:
        """Survey its heap, and choose what is watched until the next time."""
        begin_ns = time.monotonic_ns()
        with self._translated():
            counted = [one for one, _ in zip(self._surveyor.survey(), range(MOST_SUBJECTS), strict=False)]
            self._process.check()
            rows = self._numbering.rows(counted, begin_ns)
            self._watch(counted)
            rows = np.concatenate([rows, self._read_lengths()])
        seen = self._surveyor.evidence
        look = np.array([(begin_ns, time.monotonic_ns(), self.target.pid, 0, seen.torn_objects)], LOOK)
        return Looked(look, rows, self._numbering.take_news(), seen.remarks)

    def lengths(self) -> Rows:
        """Read the lengths of what is watched again."""
        with self._translated():
            return self._read_lengths()

    def _read_lengths(self) -> Rows:
        time_ns = time.monotonic_ns()
        found = self._containers.look()
        alive = [one for one in found if one.life is Life.ALIVE]
        rows = [self._numbering.length(self._keys[one.address], one.length, time_ns) for one in alive]
        return np.array([row for row in rows if row is not None], POPULATION)

    def _watch(self, counted: Sequence[Counted]) -> None:
        """Watch those that grew most since the look before, then the largest."""
        single = {one.key: one for one in counted if one.watched is not None and one.count is not None}
        before, self._lengths = self._lengths, {key: one.count or 0 for key, one in single.items()}

        def rank(one: Counted) -> tuple[int, int]:
            length = self._lengths[one.key]
            return max(length - before.get(one.key, length), 0), length

        best = sorted(single.values(), key=rank, reverse=True)[:MOST_WATCHED]
        watched = [(one.watched, one.key) for one in best if one.watched is not None]
        self._keys = {one.address: key for one, key in watched}
        self._containers.watch(one for one, _ in watched)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ProcessLookupError:  # a process gives up its files before it is a zombie
            raise TargetExited(f"process {self.target.pid} ended while it was being read") from None
        except OSError as error:
            raise translated(self._process, error) from None
