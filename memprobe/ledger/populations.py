"""How many there are of what may pile up: the subjects, and what the last look at each has shown.

A source describes a subject once, and again when it knows more of it; the newest description counts.
The course of the numbers is not kept here: `News.populations` hands every row on to the models, which
remember what they need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from memprobe.abi import ProcessHow
from memprobe.vocab.rows import NOT_MEASURED, Rows
from memprobe.vocab.subject import Seen, Subject

MAX_POPULATIONS = 4096
"""Above this many, subjects that come anew are not followed, and counted in `left_out`."""

DERIVED = 1 << 63
"""Subjects that the ledger makes itself have this bit in their number, those of sources have not."""

Key = tuple[int, int]
"""Process and subject."""


@dataclass(slots=True)
class Population:
    """One subject in one process; None was not measured."""

    pid: int
    subject_id: int
    first_ns: int
    """When it was first counted."""

    first_count: int
    first_bytes: int | None

    time_ns: int
    """When it was last counted."""

    count: int
    bytes: int | None
    oldest_ns: int | None
    """Age of the oldest at `time_ns`."""

    seen: Seen

    @property
    def added(self) -> int:
        """How many more there are than at first."""
        return self.count - self.first_count


class Populations:
    """The newest numbers of every subject."""

    def __init__(self) -> None:
        self.subjects: dict[int, Subject] = {}
        self.left_out = 0
        self._populations: dict[Key, Population] = {}

    def __len__(self) -> int:
        return len(self._populations)

    def __iter__(self) -> Iterator[Population]:
        return iter(self._populations.values())

    def __contains__(self, key: Key) -> bool:
        return key in self._populations

    def get(self, key: Key) -> Population | None:
        """Return what is known of a subject in a process; None if it is not followed or has died."""
        return self._populations.get(key)

    def fold(self, rows: Rows, subjects: Mapping[int, Subject]) -> None:
        """Take in what was counted, and what is counted."""
        self.subjects.update(subjects)
        for row in rows:  # a row per subject and look, some hundreds, never one per object
            self._count(row)
        if len(self.subjects) > 2 * MAX_POPULATIONS:
            self._forget_unused()

    def forget(self, processes: Rows) -> None:
        """Forget what was counted in processes that have ended or become another program."""
        if not len(processes):
            return
        how = processes["how"]
        for pid in set(processes["pid"][(how == ProcessHow.EXIT) | (how == ProcessHow.EXEC)].tolist()):
            for key in [key for key in self._populations if key[0] == pid]:
                del self._populations[key]

    def _count(self, row: Rows) -> None:
        key = int(row["pid"]), int(row["subject_id"])
        if int(row["flags"]) & Seen.DIED:
            self._populations.pop(key, None)
        elif int(row["count"]) != NOT_MEASURED:
            self._note(key, row)

    def _note(self, key: Key, row: Rows) -> None:
        count, size = int(row["count"]), _measured(int(row["bytes"]))
        time_ns, seen = int(row["time_ns"]), Seen(int(row["flags"]))
        oldest_ns = _measured(int(row["oldest_ns"]))
        known = self._populations.get(key)
        if known is not None:
            known.time_ns, known.count, known.seen = time_ns, count, seen
            # The lengths of collections are read more often than what they take.
            known.bytes = known.bytes if size is None else size
            known.first_bytes = size if known.first_bytes is None else known.first_bytes
            known.oldest_ns = known.oldest_ns if oldest_ns is None else oldest_ns
        elif key[1] in self.subjects:
            self._follow(Population(*key, time_ns, count, size, time_ns, count, size, oldest_ns, seen))

    def _follow(self, population: Population) -> None:
        if len(self._populations) >= MAX_POPULATIONS:
            self.left_out += 1
        else:
            self._populations[population.pid, population.subject_id] = population

    def _forget_unused(self) -> None:
        """Keep no description of what is not counted any more: a hostile target makes up names for ever.

        Those of the ledger itself stay: they are bounded (derived.py), and each is told only once.
        """
        used = {number for _, number in self._populations}
        self.subjects = {
            number: one for number, one in self.subjects.items() if number in used or number >= DERIVED
        }


def _measured(value: int) -> int | None:
    return None if value == NOT_MEASURED else value
