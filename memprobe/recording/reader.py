"""A recording as a source: the batches that were written, identical and in order."""

from __future__ import annotations

import json
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from memprobe.errors import UnreadableRecording
from memprobe.recording.batches import BatchReader
from memprobe.recording.columns import DICTIONARY_BYTES, BadBlob, Layout, inflated
from memprobe.recording.costs import unpacked_costs
from memprobe.recording.damage import BROKEN, Damage
from memprobe.recording.format import APPLICATION_ID, VERSION, restored
from memprobe.recording.heaps import HEAP_PARTS, stored_heap
from memprobe.recording.states import State, stored_states
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import CostSample
from memprobe.vocab.kept_heap import KeptHeap

MOST_LOST = 1 << 18
"""Where the list of batches is damaged, a reader asks for so many of them one by one before it gives up."""

DAMAGED = "recording_damaged"
"""The loss under which damage is counted."""

_BATCH = "SELECT id, source, begin_ns, end_ns, drained_ns FROM batches"
_NEXT_BATCH = f"{_BATCH} WHERE id > ? ORDER BY id LIMIT 1"
_OPENING = (
    "SELECT batch FROM openings JOIN batches ON batches.id = openings.batch "
    "WHERE end_ns <= ? ORDER BY batch DESC LIMIT 1"
)
_ONE_BATCH = f"{_BATCH} WHERE id = ?"
_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"


class RecordingReader:
    """Reads a recording, complete, cut off or damaged; one that is being written, as it was at the start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts: dict[str, Any] = {}
        self.damage = Damage()
        """What could not be read so far; the rest was."""

        self.is_pruned = False
        """Whether only the last minutes of the run were kept."""

        self.trusts_states = True
        """Whether states are taken up; without them all batches are folded."""

        self.has_skipped = False
        """Whether one was."""

        self._database: sqlite3.Connection | None = None
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._openings: frozenset[int] = frozenset()
        self._batch = self._begin = 0
        """The batch that was read last, and the one behind which it began: an opening right there counts."""

    def __enter__(self) -> RecordingReader:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """What this source is called; its batches carry the names of those that made them."""
        return "recording"

    @property
    def tier(self) -> int:
        """The tier at which the run was recorded."""
        tier = self.facts.get("tier", 0)
        return tier if tier in (0, 1, 2) else 0

    def start(self) -> None:
        """Open the file; raise UnreadableRecording if it is none of this version or an older one."""
        check(self.path)
        with self._failures():
            self._database = self._opened()
            self._tables = {name for (name,) in self._rows("SELECT name FROM sqlite_master")}
        for name, value in self.damage.each("facts", self._rows("SELECT name, value FROM facts")):
            self.facts[name] = self.damage.guarded("facts", partial(json.loads, value), None)
        columns = self.damage.each("samples", self._rows("SELECT name FROM pragma_table_info('samples')"))
        self._batches = BatchReader(
            self._database,
            self.damage,
            self._layouts(),
            self._dictionaries(),
            {name for (name,) in columns},
        )
        if "openings" in self._tables:
            found = self.damage.each("openings", self._rows("SELECT batch FROM openings"))
            self._openings = frozenset(number for (number,) in found)
        self.is_pruned = bool(self._openings) and (self._next_row(0) or (1,))[0] != 1

    def poll(self) -> Batch | None:
        """Return the next batch; None at the end. What is damaged is left out, and counted as a loss."""
        with self._failures():
            while (row := self._next_row(self._batch)) is not None:
                is_begin, self._batch = self._batch in (0, self._begin), row[0]
                if self._batch in self._openings and not is_begin:
                    continue
                before = self.damage.count
                batch = self.damage.guarded("batch", partial(self._read, *row), None)
                if batch is not None:
                    lost = self.damage.count - before
                    return replace(batch, losses={**batch.losses, DAMAGED: lost}) if lost else batch
        return None

    def states(self, until_ns: int) -> Iterator[tuple[int, State]]:
        """Yield what the run had come to until an instant, the last first, each with its batch."""
        if self._database is not None and "states" in self._tables and self.trusts_states:
            yield from stored_states(self._database, until_ns)

    def heap(self) -> KeptHeap | None:
        """Return the heap that was kept, as far as it is intact; None if there is none."""
        is_there = self._database is not None and "heap" in self._tables
        return stored_heap(self._rows(HEAP_PARTS), self._heap_part) if is_there else None

    def _heap_part(self, name: str, part: int) -> bytes:
        row = self._row("SELECT data FROM heap WHERE name = ? AND part = ?", name, part)
        return b"" if row is None else row[0]

    def skip_to_opening(self, until_ns: int) -> bool:
        """Go on with the last opening until an instant: how things stood then; tell whether there is one."""
        if not self._openings:
            return False
        row = self.damage.guarded("openings", lambda: self._row(_OPENING, until_ns), None)
        if row is not None:
            self._batch = self._begin = int(row[0]) - 1
        return row is not None

    def skip_to(self, batch: int) -> None:
        """Go on with what comes behind a batch: a state tells the rest."""
        self._batch, self.has_skipped = batch, True

    def costs(self) -> Iterator[CostSample]:
        """Yield what everything had cost, from sample to sample; a file of before there was this has none."""
        if "costs" in self._tables:
            blocks = self._rows("SELECT samples, head, data FROM costs ORDER BY id")
            yield from self.damage.each("costs", unpacked_costs(blocks))

    def span(self) -> tuple[int, int]:
        """Return when the first batch began and the last one ended; zeros if there is none."""
        query = "SELECT min(begin_ns), max(end_ns) FROM batches"
        first, last = self.damage.guarded("batches", lambda: next(self._rows(query)), (0, 0))
        return int(first or 0), int(last or 0)

    def first_pid(self) -> int | None:
        """Return the process that was sampled first: nearly always the one that the run is about."""
        row = self.damage.guarded("samples", lambda: self._row("SELECT pid FROM samples LIMIT 1"), None)
        return None if row is None else int(row[0])

    def close(self) -> None:
        """Close the file. May be called twice."""
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    def _next_row(self, after: int) -> tuple[Any, ...] | None:
        """Return the head of the next batch; where their list is damaged, ask for one after the other."""
        try:
            return self._row(_NEXT_BATCH, after)
        except BROKEN:
            self.damage.add("batches")
        for number in range(after + 1, after + MOST_LOST):
            try:
                row = self._row(_ONE_BATCH, number)
            except BROKEN:
                continue
            if row is not None:
                return row
        return None

    def _read(self, number: int, source: Any, begin_ns: Any, end_ns: Any, drained_ns: Any) -> Batch:
        drained = None if drained_ns is None else int(drained_ns)
        return self._batches.read(int(number), restored(source), int(begin_ns), int(end_ns), drained)

    def _layouts(self) -> dict[str, Layout]:
        stored = self.damage.each("layouts", self._rows("SELECT name, fields FROM layouts"))
        found = {}
        for name, fields in stored:
            layout = self.damage.guarded("layouts", partial(_layout, fields), None)
            if layout is not None:
                found[name] = layout
        return found

    def _dictionaries(self) -> dict[str, bytes]:
        if "dictionaries" not in self._tables:
            return {}
        stored = self.damage.each("dictionaries", self._rows("SELECT name, data FROM dictionaries"))
        return {
            name: self.damage.guarded("dictionaries", partial(inflated, blob, DICTIONARY_BYTES), b"")
            for name, blob in stored
        }

    def _rows(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        if self._database is None:
            raise UnreadableRecording(f"{self.path}: the recording is not open")
        yield from self._database.execute(query, values)

    def _row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        return next(self._rows(query, *values), None)

    def _opened(self) -> sqlite3.Connection:
        """Open the file for reading; where its folder cannot hold SQLite's own files, open a copy."""
        try:
            return _connected(self.path)
        except sqlite3.OperationalError:
            self._copy = tempfile.TemporaryDirectory(prefix="memprobe-")
            copy = Path(self._copy.name) / "recording"
            for suffix in ("", "-wal"):
                if Path(f"{self.path}{suffix}").exists():
                    shutil.copyfile(f"{self.path}{suffix}", f"{copy}{suffix}")
            return _connected(copy)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except BROKEN as error:
            raise UnreadableRecording(
                f"{self.path}: the recording is damaged in its head, and nothing of it can be read ({error})",
                remedy="what SQLite itself can still find: sqlite3 FILE .recover",
            ) from error
        except OSError as error:
            raise UnreadableRecording(f"{self.path}: {error.strerror}") from error


def check(path: Path) -> None:
    """Raise UnreadableRecording if this is not a recording, or one of a newer memprobe."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        raise UnreadableRecording(f"{path}: {error.strerror}") from error
    if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
        raise UnreadableRecording(f"{path} is not a recording of memprobe")
    (version,) = struct.unpack_from(">I", header, 60)
    (application,) = struct.unpack_from(">I", header, 68)
    if application != APPLICATION_ID:
        raise UnreadableRecording(f"{path} is a SQLite database, but not a recording of memprobe")
    if version > VERSION:
        raise UnreadableRecording(
            f"{path} has format {version}; this memprobe reads formats up to {VERSION}",
            remedy="a newer memprobe can read it: pip install --upgrade memprobe-ebpf",
        )


def _connected(path: Path) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode=ro"
    database = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA trusted_schema = OFF")
        # As it is now, to the end: a ring that is being written forgets meanwhile what is still to be read.
        database.execute("BEGIN")
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        database.close()
        raise
    return database


def _layout(fields: str) -> Layout:
    stored = [(str(name), np.dtype(kind).str, int(count)) for name, kind, count in json.loads(fields)]
    if any(np.dtype(kind).kind not in "iu" or not 0 < count <= 1024 for _, kind, count in stored):
        raise BadBlob("a layout of something else")
    return stored
