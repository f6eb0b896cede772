"""Subjects of one process get numbers; and what was counted becomes rows.

What was there at the look before and is not any more gets a row, too: a collection or a holder has died;
of everything else there are none just now, and there may be some again.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from memprobe.heap.subjects.counted import Counted
from memprobe.vocab.rows import NOT_MEASURED, POPULATION, Rows
from memprobe.vocab.subject import Seen, Subject, What

MORTAL = frozenset({What.CONTAINER, What.HOLDER})
"""These have died when they are not found any more."""

LONGEST_ABSENCE = 30
"""Looks without one of its kind, after which a subject is forgotten, too."""

Row = tuple[int, int, int, int, int, int, int]
"""A POPULATION row."""


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
        self.news: dict[int, Subject] = {}
        """Subjects that are new, or of which more is known, since `take_news`."""

    def take_news(self) -> dict[int, Subject]:
        """Return the news, and begin to collect anew."""
        news, self.news = self.news, {}
        return news

    def rows(self, counted: Iterable[Counted], time_ns: int) -> Rows:
        """Return the rows of one look, those of what is not found any more included."""
        found = {one.key: one for one in counted}
        rows = [self._row(self._number(one), one, time_ns) for one in found.values()]
        rows += list(self._missing(found.keys(), time_ns))
        return np.array(rows, POPULATION)

    def length(self, key: str, length: int, time_ns: int) -> Row | None:
        """Return the row of a collection whose length was read again; None if it has no number."""
        known = self._known.get(key)
        if known is None:
            return None
        known.last_ns = time_ns
        return time_ns, known.number, self._pid, 0, length, NOT_MEASURED, NOT_MEASURED

    def _number(self, one: Counted) -> _Known:
        known = self._known.get(one.key)
        if known is None:
            known = self._known[one.key] = _Known(next(self._numbers), one.subject)
            self.news[known.number] = one.subject
        elif known.subject != one.subject:
            known.subject = self.news[known.number] = one.subject
        known.absent = 0
        return known

    def _row(self, known: _Known, one: Counted, time_ns: int) -> Row:
        """What was counted; never earlier than its row before, which may be a length of meanwhile."""
        known.last_ns = max(known.last_ns, time_ns)
        count, size, oldest_ns = map(_measured, (one.count, one.bytes, one.oldest_ns))
        return known.last_ns, known.number, self._pid, int(one.seen), count, size, oldest_ns

    def _missing(self, found: Container[str], time_ns: int) -> Iterator[Row]:
        for key, known in [one for one in self._known.items() if one[0] not in found]:
            known.absent += 1
            if known.subject.what in MORTAL or known.absent > LONGEST_ABSENCE:
                del self._known[key]
                yield self._absence(known, Seen.DIED, NOT_MEASURED, time_ns)
            else:
                yield self._absence(known, Seen.EXACTLY, 0, time_ns)

    def _absence(self, known: _Known, seen: Seen, number: int, time_ns: int) -> Row:
        known.last_ns = max(known.last_ns, time_ns)
        return known.last_ns, known.number, self._pid, int(seen), number, number, NOT_MEASURED


def _measured(number: int | None) -> int:
    return NOT_MEASURED if number is None else number
