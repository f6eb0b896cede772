"""Batches into a recording."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

from memprobe.errors import OutputNotWritable
from memprobe.recording.columns import DICTIONARY_BYTES, LEVEL, deflated, layout_text, packed, raw
from memprobe.recording.costs import Block, CostPacker
from memprobe.recording.format import (
    APPLICATION_ID,
    COLUMNS,
    LAYOUTS,
    PATHS,
    SAMPLE_FIELDS,
    SAMPLES_SCHEMA,
    SCHEMA,
    SUBJECTS,
    VERSION,
    signed,
    storable,
)
from memprobe.recording.heaps import SCHEMA as HEAP_SCHEMA
from memprobe.recording.heaps import Piece, add_heap
from memprobe.recording.pruning import add_opening, prune
from memprobe.recording.redaction import redacted
from memprobe.recording.states import SCHEMA as STATES_SCHEMA
from memprobe.recording.states import State, add_state
from memprobe.recording.subjects import packed_subjects
from memprobe.vocab.batch import Batch, Handles
from memprobe.vocab.costs import CostSample
from memprobe.vocab.rows import Rows
from memprobe.vocab.stack import Frame, Stack

COMMIT_NS = 2_000_000_000
"""A transaction is committed when its batches reach this far: what a kill can cost."""

READER_S = 5.0
"""So long whoever reads the file is waited for, where it is to become a single one at its end."""

REMEMBERED = 1 << 16
"""Stacks and frames whose rows are remembered; what is forgotten is written again when it comes back."""


class RecordingWriter:
    """Writes batches as they come; whatever ends the process, committed ones are there.

    Raises OutputNotWritable where the file cannot be written, a full disk included; what was committed stays.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any], *, redact: bool = False) -> None:
        self.path = path
        self._redact = redact
        self._frames: dict[Frame, int] = {}
        self._stacks: dict[tuple[int, Stack], int] = {}
        self._next = {"batches": 0, "frames": 0, "stacks": 0}
        self._open_since_ns: int | None = None
        self._has_failed = False
        """Whether half of a batch may wait for a commit that must not come."""

        self._costs = CostPacker()
        self._notes: dict[str, Any] = {}
        self._dictionaries: dict[str, bytes] = {}
        with failures(path):
            self._database: sqlite3.Connection | None = _created(path, facts)

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def write(self, batch: Batch) -> None:
        """Add a batch; commit if the last commit is long enough ago by the batches' own times."""
        database = self._writable()
        with self._whole():
            if self._open_since_ns is None:
                self._open_since_ns = batch.begin_ns
                database.execute("BEGIN")
            self._add(database, redacted(batch) if self._redact else batch)
        if batch.end_ns - self._open_since_ns >= COMMIT_NS:
            self.flush()

    def begin_again(self, opening: Batch, keep_ns: int | None) -> None:
        """Write how things stand now, and forget what a reader does not need who begins `keep_ns` ago."""
        self.flush()
        database = self._writable()
        with self._whole():
            database.execute("BEGIN")
            self._costs = CostPacker()
            self._add(database, redacted(opening) if self._redact else opening)
            add_opening(database, self._next["batches"])
            if keep_ns is not None and prune(database, opening.end_ns - keep_ns):
                self._forget(database)
            database.execute("COMMIT")

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """A batch is written whole or not at all: half of one would read as if nothing were missing."""
        try:
            with failures(self.path):
                yield
        except BaseException:
            self._has_failed = True
            raise

    def _forget(self, database: sqlite3.Connection) -> None:
        """Remember no rows that are gone."""
        frames = {number for (number,) in database.execute("SELECT id FROM frames")}
        stacks = {number for (number,) in database.execute("SELECT id FROM stacks")}
        self._frames = {frame: number for frame, number in self._frames.items() if number in frames}
        self._stacks = {stack: number for stack, number in self._stacks.items() if number in stacks}

    def note(self, name: str, value: Any) -> None:
        """Write down a fact that has changed, or is known only now, with the next commit."""
        self._notes[name] = value

    def write_cost(self, sample: CostSample) -> None:
        """Add what everything has cost so far; it is written with the next commit."""
        self._add_costs(self._costs.add(sample))

    def write_state(self, state: State) -> None:
        """Add what the run has come to with the batches written so far."""
        with failures(self.path):
            add_state(self._writable(), self._next["batches"], state)

    def write_heap(self, pieces: Sequence[Piece], content: IO[bytes]) -> None:
        """Put a heap into the place of the one before, from what `heaps.spill` has made of it."""
        self.flush()
        database = self._writable()
        with self._whole():
            database.execute("BEGIN")
            add_heap(database, pieces, content)
            database.execute("COMMIT")

    def _add_costs(self, blocks: Iterable[Block]) -> None:
        with failures(self.path):
            self._writable().executemany("INSERT INTO costs (samples, head, data) VALUES (?, ?, ?)", blocks)

    def flush(self) -> None:
        """Commit what was written."""
        database = self._writable()
        with failures(self.path):
            if self._open_since_ns is None:
                database.execute("BEGIN")
            self._add_costs(self._costs.take())
            notes = [(storable(name), json.dumps(value)) for name, value in self._notes.items()]
            database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", notes)
            database.execute("COMMIT")
        self._open_since_ns, self._notes = None, {}

    def close(self) -> None:
        """Commit, and leave one file without a -wal beside it. May be called twice."""
        if self._database is None:
            return
        try:
            if not self._has_failed:
                self.flush()
        finally:
            database, self._database = self._database, None
            _closed(database, self.path)

    def _writable(self) -> sqlite3.Connection:
        if self._database is None:
            raise OutputNotWritable(f"{self.path}: the recording is closed")
        return self._database

    def _add(self, database: sqlite3.Connection, batch: Batch) -> None:
        number = self._number("batches")
        database.execute(
            "INSERT INTO batches VALUES (?, ?, ?, ?, ?)",
            (number, storable(batch.source), batch.begin_ns, batch.end_ns, batch.drained_ns),
        )
        for name, count, content in _contents(batch):
            blob = deflated(content, self._dictionary(database, name, content))
            database.execute("INSERT INTO columns VALUES (?, ?, ?, ?)", (number, name, count, blob))
        self._add_stacks(database, number, batch.stacks)
        database.executemany(_INSERT_PICTURE, map(_picture, _numbered(number, batch.handles)))
        database.executemany(_INSERT_SAMPLE, _samples(number, batch.samples))
        losses = [(number, storable(name), int(count)) for name, count in batch.losses.items()]
        database.executemany("INSERT INTO losses VALUES (?, ?, ?)", losses)
        database.executemany(
            "INSERT INTO invisible VALUES (?, ?, ?)", _numbered(number, tuple(map(storable, batch.invisible)))
        )

    def _dictionary(self, database: sqlite3.Connection, name: str, content: bytes) -> bytes:
        """Return what the blobs of a table have in common: the first one, which is kept for the later."""
        if name not in self._dictionaries:
            self._dictionaries[name] = content = content[:DICTIONARY_BYTES]
            database.execute("INSERT INTO dictionaries VALUES (?, ?)", (name, deflated(content)))
        return self._dictionaries[name]

    def _add_stacks(self, database: sqlite3.Connection, batch: int, stacks: Mapping[int, Stack]) -> None:
        for place, (stack_id, stack) in enumerate(stacks.items()):
            key = (int(stack_id), stack)
            if key not in self._stacks:
                frames = [self._frame(database, frame) for frame in stack.frames]
                _make_room(self._stacks)
                self._stacks[key] = self._number("stacks")
                packed_frames = struct.pack(f"<{len(frames)}I", *frames)
                row = (self._stacks[key], signed(key[0]), stack.complete, packed_frames)
                database.execute("INSERT INTO stacks VALUES (?, ?, ?, ?)", row)
            database.execute("INSERT INTO new_stacks VALUES (?, ?, ?)", (batch, place, self._stacks[key]))

    def _frame(self, database: sqlite3.Connection, frame: Frame) -> int:
        if frame not in self._frames:
            _make_room(self._frames)
            number = self._frames[frame] = self._number("frames")
            row = (number, storable(frame.function), storable(frame.file), frame.line)
            database.execute("INSERT INTO frames VALUES (?, ?, ?, ?)", row)
        return self._frames[frame]

    def _number(self, table: str) -> int:
        self._next[table] += 1
        return self._next[table]


_INSERT_PICTURE = "INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_SAMPLE = f"INSERT INTO samples VALUES (?, ?{', ?' * len(SAMPLE_FIELDS)})"


@contextmanager
def failures(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the file into OutputNotWritable."""
    try:
        yield
    except FileExistsError as error:
        remedy = "choose another name, or remove it first"
        raise OutputNotWritable(f"{path}: there is a file of this name already", remedy=remedy) from error
    except OSError as error:
        raise OutputNotWritable(f"{path}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise OutputNotWritable(f"{path}: the recording cannot be written ({error})") from error


def _closed(database: sqlite3.Connection, path: Path) -> None:
    """Close; where there is no room to put it into the main file, what was committed stays in the -wal."""
    with closing(database), failures(path):
        if database.in_transaction:
            database.execute("ROLLBACK")
        try:
            database.execute("PRAGMA journal_mode = DELETE").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise  # else somebody reads it: it is whole all the same, with the -wal beside it


def _created(path: Path, facts: Mapping[str, Any]) -> sqlite3.Connection:
    """Make the file, for its owner only; its identity is in it before the first batch, outside the WAL."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    database = sqlite3.connect(path, READER_S, isolation_level=None, check_same_thread=False)
    database.executescript(f"BEGIN; {SCHEMA} {SAMPLES_SCHEMA} {STATES_SCHEMA} {HEAP_SCHEMA}")
    layouts = [(name, layout_text(dtype)) for name, dtype in LAYOUTS.items()]
    database.executemany("INSERT INTO layouts VALUES (?, ?)", layouts)
    stored = [(storable(name), json.dumps(value)) for name, value in facts.items()]
    database.executemany("INSERT INTO facts VALUES (?, ?)", stored)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute("COMMIT")
    database.execute("PRAGMA journal_mode = WAL").fetchone()
    database.execute("PRAGMA synchronous = NORMAL")
    return database


def _contents(source: Batch) -> Iterator[tuple[str, int, bytes]]:
    for name in COLUMNS:
        rows: Rows = getattr(source, name)
        if len(rows):
            yield name, len(rows), raw(rows)
    if source.paths:
        yield PATHS, len(source.paths), source.paths
    if source.subjects:
        subjects = packed_subjects(source.subjects)
        yield SUBJECTS, len(subjects), subjects


def _picture(numbered: tuple[int, int, Handles]) -> tuple[int, int, int, int, int, int, bytes, bytes]:
    batch, place, picture = numbered
    texts = zlib.compress(json.dumps(picture.texts).encode(), LEVEL)
    times = (int(picture.pid), int(picture.begin_ns), int(picture.end_ns))
    return (batch, place, *times, len(picture.rows), packed(picture.rows), texts)


def _samples(batch: int, samples: Rows) -> Iterator[tuple[int, ...]]:
    for place, row in enumerate(samples):
        values = (row[name] if at is None else row[name][at] for name, at in SAMPLE_FIELDS)
        yield (batch, place, *(signed(int(value)) for value in values))


def _numbered(batch: int, values: tuple[Any, ...]) -> Iterator[tuple[int, int, Any]]:
    return ((batch, place, value) for place, value in enumerate(values))


def _make_room(remembered: dict[Any, int]) -> None:
    if len(remembered) >= REMEMBERED:
        remembered.clear()
