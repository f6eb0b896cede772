"""Two recordings, or two parts of one, held against each other: what grows there, what grows here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from memprobe.ledger import Ledger
from memprobe.ledger.growth import GROSS, HOW_NAMES
from memprobe.ledger.ledger import News
from memprobe.models.rates import FEWEST, NONE_SEEN, SIGNIFICANT, Rate, errors_between, rate
from memprobe.recording.reader import RecordingReader
from memprobe.session.replay import NS, Replay, Window, batches, bounds, read
from memprobe.vocab.rows import Rows
from memprobe.vocab.stack import Frame, own_frame
from memprobe.vocab.subject import Subject, What

BLOCKS = 16
LEAST = 8
"""Fewer units than this in a whole run are nothing, however sure."""

PAGE_BYTES = 64 << 10
"""The unit of what is measured in bytes."""

WORSE_BY = 1.2
"""Growth that is faster by less is the same growth."""


class Change(StrEnum):
    """What became of something that grew."""

    NEW = "new"
    WORSE = "worse"
    NOT_FIXED = "not fixed"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that is in both, whatever its numbers there."""

    sort: str
    """objects, entries, held, garbage, handles, growth, memory, ..."""

    name: str
    site: tuple[Frame, ...] = field(default=(), compare=False)

    @property
    def unit(self) -> float:
        """The smallest step that says something."""
        return PAGE_BYTES if self.sort in ("memory", "growth") else 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """One difference."""

    change: Change
    thing: Thing
    before: Rate
    after: Rate
    count: float | None
    """How many there are, or bytes, at the end of the second."""

    errors: float
    """How many errors the second rate is above the first."""


SORTS = {
    What.TYPE: "objects",
    What.CONTAINER: "entries",
    What.HOLDER: "held",
    What.GARBAGE: "garbage",
    What.UNCOLLECTABLE: "garbage",
    What.UNHELD: "unheld",
    What.TASKS: "tasks",
    What.ENDED_TASKS: "tasks",
    What.TIMERS: "timers",
    What.QUEUE: "queue",
    What.THREADS: "threads",
    What.HANDLES: "handles",
    What.MEMORY: "memory",
}


class Marks:
    """Notes at equal distances how many there are of everything: a judge of a replay."""

    def __init__(self, begin_ns: int, end_ns: int) -> None:
        self._begin_ns, self._step_ns = begin_ns, max(1, (end_ns - begin_ns) // BLOCKS)
        self._next_ns = 0
        self.times_s: list[float] = []
        self.counts: list[dict[Thing, float]] = []

    def fold(self, ledger: Ledger, news: News, samples: Rows) -> None:
        """Note what there is, if it is time."""
        if len(samples) and ledger.now_ns >= self._next_ns:
            self._mark(ledger)

    def settle(self, ledger: Ledger) -> None:
        """Note how it ended, unless that was just now."""
        if not self.times_s or ledger.now_ns / NS - self.times_s[-1] > self._step_ns / NS / 2:
            self._mark(ledger)

    def rate(self, thing: Thing) -> Rate:
        """Return how fast there is more of something; from when it was first seen."""
        values: list[float | None] = [one.get(thing) for one in self.counts]
        first = next((place for place, value in enumerate(values) if value is not None), None)
        if first is None:
            return NONE_SEEN
        known = [None] * first + [value or 0.0 for value in values[first:]]
        return rate(self.times_s, known, thing.unit)

    @property
    def length_s(self) -> float:
        """From the first mark to the last."""
        return self.times_s[-1] - self.times_s[0] if self.times_s else 0.0

    def _mark(self, ledger: Ledger) -> None:
        steps = (ledger.now_ns - self._begin_ns) // self._step_ns + 1
        self._next_ns = self._begin_ns + steps * self._step_ns
        self.times_s.append(ledger.now_ns / NS)
        counts: dict[Thing, float] = {}
        for thing, count in _things(ledger):
            counts[thing] = counts.get(thing, 0.0) + count
        self.counts.append(counts)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two."""

    path: str
    window: Window
    marks: Marks
    created_at: str


def side(path: str, window: Window) -> Side:
    """Fold a recording, or a part of one, with marks."""
    return read(Path(path), lambda reader: _side(reader, path, window))


def _side(reader: RecordingReader, path: str, window: Window) -> Side:
    begin_ns, end_ns = bounds(reader, window)
    marks = Marks(begin_ns, reader.span()[1] if end_ns is None else end_ns)
    replay = Replay(reader, None, marks)
    for batch in batches(reader, window):
        replay.fold(batch)
    marks.settle(replay.ledger)
    return Side(path, window, marks, replay.run().created_at)


def compared(one: Side, other: Side) -> list[Row]:
    """Return what differs, the worst first, and what still grows."""
    things = dict.fromkeys(thing for at in (*one.marks.counts, *other.marks.counts) for thing in at)
    rows = [row for thing in things if (row := _row(thing, one.marks, other.marks)) is not None]
    order = list(Change)
    return sorted(rows, key=lambda row: (order.index(row.change), -abs(row.errors), row.thing.name))


def _row(thing: Thing, one: Marks, other: Marks) -> Row | None:
    before, after = one.rate(thing), other.rate(thing)
    change = _change(before, after, *(LEAST * thing.unit / max(side.length_s, 1.0) for side in (one, other)))
    if change is None:
        return None
    last = other.counts[-1].get(thing) if other.counts else None
    return Row(change, thing, before, after, last, errors_between(before, after))


def _change(before: Rate, after: Rate, least_before: float, least_after: float) -> Change | None:
    """Say what became of it; None if it grows in neither, or nobody can tell."""
    if not before.is_known or not after.is_known:
        return None
    errors = errors_between(before, after)
    if after.grows(least_after):
        if before.grows(least_before):
            is_worse = errors > SIGNIFICANT and after.per_s > WORSE_BY * before.per_s
            return Change.WORSE if is_worse else Change.NOT_FIXED
        return Change.NEW if errors > SIGNIFICANT else None
    return Change.FIXED if before.grows(least_before) and errors < -SIGNIFICANT else None


def _things(ledger: Ledger) -> Iterator[tuple[Thing, float]]:
    """Everything that is counted now."""
    for one in ledger.populations:
        subject = ledger.populations.subjects[one.subject_id]
        yield _thing(subject), one.count
    for (_, stack, how), total in ledger.growth.totals().items():
        name = HOW_NAMES.get(how)  # type: ignore[call-overload]
        frames = ledger.stacks[stack].frames if stack in ledger.stacks else ()
        if name is not None and name not in GROSS and frames:
            yield Thing("growth", f"{name} at {_function(frames)}", frames), total.net_bytes


def _thing(subject: Subject) -> Thing:
    """Name a subject without what differs from release to release: line numbers and addresses."""
    where = subject.holder or (f"at {_function(subject.site)}" if subject.site else "")
    return Thing(SORTS[subject.what], " ".join(filter(None, (subject.type, where))), subject.site)


def _function(frames: tuple[Frame, ...]) -> str:
    frame = own_frame(frames)
    return "" if frame is None else f"{frame.function} ({frame.file.rpartition('/')[2]})"


def facts(one: Side) -> dict[str, Any]:
    """What the document says of one of the two."""
    return {
        "file": one.path,
        "window": {"begin_s": one.window.begin_s, "end_s": one.window.end_s},
        "created_at": one.created_at,
        "duration_s": round(one.marks.length_s, 3),
        "tells": len(one.marks.times_s) > FEWEST,
    }
