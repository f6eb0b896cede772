"""Subjects of one process get numbers; and what was counted becomes rows.

What was there at the look before and is not any more gets a row, too: of most there are none just now, and
there may be some again; a collection or a holder has died if several looks do not find it. Of some a look
does not say whether they are there (`untold`): there is no room for all types, and no garbage in a part of a
heap. Then there is no row: what was not counted is not 0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from memprobe.heap.looker.lengths import Length
from memprobe.vocab.rows import NOT_MEASURED, POPULATION, Rows
from memprobe.vocab.subject import Seen, Subject, What

MORTAL = frozenset({What.CONTAINER, What.HOLDER})
"""These have died when they are not found any more."""

OVERLOOKED = 2
"""So many looks in a row may miss one of them: what is changed while it is read is sometimes not seen."""

LONGEST_ABSENCE = 30
"""Looks without one of its kind, after which any subject is forgotten."""

MOST_MEASURED = 1 << 62
"""Of a row's numbers."""

Row = tuple[int, int, int, int, int, int, int]
"""A POPULATION row."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a look tells of one subject."""

    key: str
    count: int | None
    bytes: int | None
    oldest_ns: int | None
    seen: int
    subject: Subject | None
    """None: the one that is known under this key."""

    time_ns: int
    """When it was counted, in the course of the look."""


@dataclass(slots=True)
class _Known:
    """A subject that has a number."""

    number: int
    subject: Subject
    last_ns: int = 0
    """The time of its last row."""

    absent: int = 0
    """Looks in a row without it."""


class Numbering:
    """The subjects of one process; numbers are never used twice, in whatever process."""

    def __init__(self, pid: int, numbers: count[int]) -> None:
        self._pid = pid
        self._numbers = numbers
        self._known: dict[str, _Known] = {}

    def knows(self, key: str, subject: Subject) -> bool:
        """Whether a subject is known under a key, just as it is."""
        known = self._known.get(key)
        return known is not None and known.subject == subject

    @property
    def keys(self) -> Collection[str]:
        """The keys of all subjects that are known."""
        return self._known.keys()

    def key_of(self, number: int) -> str | None:
        """Return the key of a subject by its number."""
        return next((key for key, known in self._known.items() if known.number == number), None)

    def number_of(self, key: str) -> int:
        """Return the number of a subject by its key; 0 if it is not known."""
        known = self._known.get(key)
        return 0 if known is None else known.number

    def counted(
        self, told: Sequence[Told], time_ns: int, untold: Collection[str] = ()
    ) -> tuple[Rows, dict[int, Subject]]:
        """Return the rows of a look that began then, and the subjects that are new or better known."""
        news = dict(self._learnt(told))
        rows = [self._row(self._known[one.key], one, time_ns) for one in told if one.key in self._known]
        rows += self._missing({one.key for one in told}, frozenset(untold), time_ns)
        return np.array(rows, POPULATION), news

    def lengths(self, read: Iterable[Length]) -> Rows:
        """Return the rows of collections whose lengths were read again."""
        return np.array([row for one in read if (row := self._length(*one))], POPULATION)

    def end(self, time_ns: int) -> Rows:
        """Return the rows that let everything die, and forget it."""
        rows = [self._absence(one, Seen.DIED, NOT_MEASURED, time_ns) for one in self._known.values()]
        self._known = {}
        return np.array(rows, POPULATION)

    def _learnt(self, told: Sequence[Told]) -> Iterator[tuple[int, Subject]]:
        """Give numbers to what is new, and yield what is new or known better."""
        for one in told:
            if one.subject is None:
                continue
            known = self._known.get(one.key)
            if known is None:
                known = self._known[one.key] = _Known(next(self._numbers), one.subject)
            known.subject = one.subject
            yield known.number, one.subject

    def _row(self, known: _Known, one: Told, time_ns: int) -> Row:
        """What was counted; never earlier than its row before, which may be a length of meanwhile."""
        known.absent, known.last_ns = 0, max(known.last_ns, time_ns, one.time_ns)
        number, size, oldest_ns = map(_measured, (one.count, one.bytes, one.oldest_ns))
        return known.last_ns, known.number, self._pid, one.seen, number, size, oldest_ns

    def _length(self, key: str, length: int, time_ns: int) -> Row | None:
        """The row of one collection; None if it is not known, or more was told since."""
        known = self._known.get(key)
        if known is None or time_ns < known.last_ns:
            return None
        known.last_ns = time_ns
        return time_ns, known.number, self._pid, 0, length, NOT_MEASURED, NOT_MEASURED

    def _missing(self, found: set[str], untold: frozenset[str], time_ns: int) -> Iterator[Row]:
        for key, known in [one for one in self._known.items() if one[0] not in found]:
            if known.subject.what is What.MEMORY:
                continue  # a sum that this look could not make
            known.absent += 1
            is_mortal = known.subject.what in MORTAL
            if known.absent > (OVERLOOKED if is_mortal else LONGEST_ABSENCE):
                del self._known[key]
                yield self._absence(known, Seen.DIED, NOT_MEASURED, time_ns)
            elif not is_mortal and key not in untold:
                yield self._absence(known, Seen.EXACTLY, 0, time_ns)

    def _absence(self, known: _Known, seen: Seen, number: int, time_ns: int) -> Row:
        known.last_ns = max(known.last_ns, time_ns)
        return known.last_ns, known.number, self._pid, int(seen), number, number, NOT_MEASURED


def _measured(number: int | None) -> int:
    """Return a number as a row can have it: what is estimated from what a target says may be any."""
    return NOT_MEASURED if number is None else min(number, MOST_MEASURED)
