"""What a run was like over time: numbers and counts at moments, thinned out as it goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Generic, TypeVar

import numpy as np

from memprobe.ledger import Ledger
from memprobe.ledger.ledger import News
from memprobe.ledger.populations import Population
from memprobe.vocab.kinds import HandleKind
from memprobe.vocab.rows import NOT_MEASURED, Rows
from memprobe.vocab.subject import What

Item = TypeVar("Item")

SAMPLES, MOMENTS = 600, 200
"""So many points a line of samples has, and of counts, however long the run is."""

MEMORY = {
    "resident": "rss_bytes",
    "Python objects": "python_bytes",
    "free in arenas": "arena_free_bytes",
    "C heaps": "native_bytes",
    "other anonymous": "mmap_bytes",
    "swap": "swap_bytes",
}
PROCESS = {"descriptors": "fds", "threads": "threads"}
FIELDS = (*MEMORY.values(), *PROCESS.values())

COUNTED = {What.TYPE: "objects", What.TASKS: "tasks", What.TIMERS: "timers", What.GARBAGE: "garbage"}
"""What is added up by sort of subject."""


class Thinned(Generic[Item]):
    """At most so many items, about evenly spread over time; the newest is always one of them."""

    def __init__(self, limit: int) -> None:
        self._limit, self._gap_s = limit, 0.0
        self._items: list[tuple[float, Item]] = []

    def __iter__(self) -> Iterator[tuple[float, Item]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def wants(self, time_s: float) -> bool:
        """Whether an item would stay, not only until the next."""
        return len(self._items) < 2 or time_s - self._items[-2][0] >= self._gap_s

    def add(self, time_s: float, item: Item) -> None:
        """Take an item, in the place of the newest if that is too near to the one before."""
        if not self.wants(time_s):
            self._items.pop()
        self._items.append((time_s, item))
        if len(self._items) > self._limit:
            span_s = time_s - self._items[0][0]
            self._gap_s = max(2 * self._gap_s, 2 * span_s / self._limit)
            self._items = [*self._items[:-1:2], self._items[-1]]


class History:
    """Follows the target of a run: the process whose numbers come first."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.samples: Thinned[tuple[int, ...]] = Thinned(SAMPLES)
        """FIELDS at moments; NOT_MEASURED among them."""

        self.counts: Thinned[dict[int, int]] = Thinned(MOMENTS)
        """How many there were of each subject."""

        self.kinds: Thinned[dict[str, int]] = Thinned(MOMENTS)
        """Open handles by kind, and what else is counted, by its name."""

    def fold(self, ledger: Ledger, news: News, samples: Rows) -> None:
        """Take in what a batch brought, after the ledger has."""
        if self.pid is None and len(samples):
            self.pid = int(samples["pid"][0])
        time_s = (news.end_ns - (ledger.begin_ns or 0)) / 1e9
        for row in samples[samples["pid"] == self.pid]:
            self.samples.add(time_s, tuple(int(row[name]) for name in FIELDS))
            if self.kinds.wants(time_s):
                self.kinds.add(time_s, self._kinds(ledger))
        if len(news.populations) and self.counts.wants(time_s):
            self.counts.add(time_s, {one.subject_id: one.count for one in self._populations(ledger)})

    def take_up(self, earlier: History) -> None:
        """Go on from where another one was."""
        self.pid, self.samples = earlier.pid, earlier.samples
        self.counts, self.kinds = earlier.counts, earlier.kinds

    def line(self, field: str) -> list[tuple[float, int]]:
        """Return a field of FIELDS over time, where it was measured."""
        place = FIELDS.index(field)
        points = ((time_s, row[place]) for time_s, row in self.samples)
        return [(time_s, value) for time_s, value in points if value != NOT_MEASURED]

    def _populations(self, ledger: Ledger) -> Iterator[Population]:
        return (one for one in ledger.populations if one.pid == self.pid)

    def _kinds(self, ledger: Ledger) -> dict[str, int]:
        assert self.pid is not None
        kinds = np.bincount(ledger.handles.open(self.pid).rows["kind"], minlength=len(HandleKind))
        found = Counter(
            {HandleKind(i).name.lower(): int(n) for i, n in enumerate(kinds[: len(HandleKind)]) if n}
        )
        for one in self._populations(ledger):
            name = COUNTED.get(ledger.populations.subjects[one.subject_id].what)
            if name is not None:
                found[name] += one.count
        return dict(found)
