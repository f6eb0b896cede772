"""One process whose heap is looked at again and again: what is known of it from look to look."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from memprobe.errors import MemprobeError
from memprobe.heap.looker.ages import Ages
from memprobe.heap.looker.lengths import Lengths, Size
from memprobe.heap.looker.look import look
from memprobe.heap.looker.numbering import Numbering, Told
from memprobe.target.memory.live import LiveMemory
from memprobe.target.memory.patient import LIMIT_S, PatientMemory
from memprobe.target.patience import Patience
from memprobe.target.proc.process import Process
from memprobe.vocab import TargetId
from memprobe.vocab.rows import LOOK, POPULATION, Rows, no_rows
from memprobe.vocab.subject import Subject
from memprobe.vocab.subject_lists import subject_from_list


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look came to."""

    look: Rows
    populations: Rows
    subjects: dict[int, Subject]
    keys: dict[int, list[str]]
    """Sampled keys of what grows, by subject; none unless they were asked for."""


class Followed:
    """One program of one process; after exec there is another one."""

    def __init__(self, process: Process, numbers: count[int], patience: Patience) -> None:
        """Take a process over; reads of its memory that hang are given up by `patience`."""
        self.process = process
        self.remarks: tuple[str, ...] = ()
        """What the last look could not see, as sentences."""

        self._patience = patience
        self._memory: LiveMemory | None = None
        self._numbering = Numbering(process.pid, numbers)
        self._lengths: Lengths | None = None
        self._ages = Ages()
        self._counts: dict[str, int] = {}
        """Of collections that can be watched, at the look before."""

        self._remembered = b""

    @property
    def target(self) -> TargetId:
        """Which process it is."""
        return self.process.id

    def close(self) -> None:
        """Let go of it."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        self.process.close()

    def errand(self, *, with_keys: bool) -> Callable[[], dict[str, Any]]:
        """Return the call that looks at its heap, for a child."""
        target, remembered, counts, known = self.target, self._remembered, self._counts, self._numbering
        return lambda: look(target, remembered, counts, known, with_keys=with_keys)

    def take(self, found: dict[str, Any]) -> Looked:
        """Take in what a look has found."""
        begin_ns, end_ns, torn = found["look"]
        ages = self._ages.looked(
            (key, first, number or 0, time_ns) for key, number, _, first, *_, time_ns in found["counted"]
        )
        told = [_told(ages.get(fields[0]), *fields) for fields in found["counted"]]
        populations, subjects = self._numbering.counted(told, begin_ns, found["untold"])
        self._counts = {key: number or 0 for key, number, *_, single, _, _ in found["counted"] if single}
        self._remembered = base64.b64decode(found["remembered"])
        self.remarks = tuple(found["remarks"])
        self._watch(found["header"], found["watched"])
        row = np.array([(begin_ns, end_ns, self.target.pid, 0, torn)], LOOK)
        keys = {self._numbering.number_of(key): texts for key, texts in found["keys"]}
        return Looked(row, populations, subjects, {number: texts for number, texts in keys.items() if number})

    def read_lengths(self, time_ns: int) -> Rows:
        """Read the lengths of its collections again; raises a leaf of TargetGone."""
        if self._lengths is None:
            return no_rows(POPULATION)
        read = list(self._lengths.read(time_ns))
        for length in read:
            self._ages.has_length(*length)
        return self._numbering.lengths(read)

    def size_of(self, number: int) -> Size | None:
        """Read the length of one collection now; None if it is not read by itself, or not there any more."""
        key = self._numbering.key_of(number)
        return None if key is None or self._lengths is None else self._lengths.now(key)

    def end(self, time_ns: int) -> Rows:
        """Return the rows that let all its subjects die, and close."""
        self.close()
        return self._numbering.end(time_ns)

    def _watch(self, header: list[int], watched: list[list[Any]]) -> None:
        """Watch other collections from now on."""
        try:
            if self._memory is None:
                self._memory = LiveMemory(self.process.id, self.process.pidfd)
        except MemprobeError:
            return  # it is ending: the next check says so
        patient = PatientMemory(self._memory, self._patience)
        patient.limit_s = LIMIT_S
        self._lengths = Lengths(patient, header, watched) if watched else None


def _told(
    oldest_ns: int | None,
    key: str,
    number: int | None,
    size: int | None,
    _first: int | None,
    seen: int,
    _single: bool,
    subject: list[Any] | None,
    time_ns: int,
) -> Told:
    described = None if subject is None else subject_from_list(subject)
    return Told(key, number, size, oldest_ns, seen, described, time_ns)
