"""A recording as a source: the batches that were written, identical and in order."""

from __future__ import annotations

import json
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from memprobe.errors import UnreadableRecording
from memprobe.recording.columns import LIMIT_BYTES, BadBlob, Layout, inflated, unpacked
from memprobe.recording.costs import unpacked_costs
from memprobe.recording.format import (
    APPLICATION_ID,
    COLUMNS,
    LAYOUTS,
    PATHS,
    PICTURE,
    SAMPLE_FIELDS,
    SUBJECTS,
    VERSION,
    restored,
    sample_column,
    unsigned,
)
from memprobe.recording.subjects import unpacked_subjects
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch, Handles
from memprobe.vocab.costs import CostSample
from memprobe.vocab.rows import Rows
from memprobe.vocab.stack import Frame, Stack

MAX_ROWS = 1 << 24
"""No table of a batch has more rows than this; a file that says so is broken or hostile."""

_NEXT_BATCH = "SELECT id, source, begin_ns, end_ns, drained_ns FROM batches WHERE id > ? ORDER BY id LIMIT 1"
_INVISIBLE = "SELECT sentence FROM invisible WHERE batch = ? ORDER BY place"
_LOSSES = "SELECT name, count FROM losses WHERE batch = ?"
_DAMAGE = (sqlite3.Error, ValueError, TypeError, ArithmeticError, RecursionError, struct.error)
_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"


class RecordingReader:
    """Reads a recording, complete or cut off, even while it is being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts: dict[str, Any] = {}
        self._database: sqlite3.Connection | None = None
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._layouts: dict[str, Layout] = {}
        self._sample_columns: frozenset[str] = frozenset()
        """Those that the file has: an older one lacks some, which are not measured then."""
        self._frames: dict[int, Frame] = {}
        self._batch = 0

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
            self.facts = {
                name: json.loads(value) for name, value in self._rows("SELECT name, value FROM facts")
            }
            stored = self._rows("SELECT name, fields FROM layouts")
            self._layouts = {name: _layout(fields) for name, fields in stored}
            columns = self._rows("SELECT name FROM pragma_table_info('samples')")
            self._sample_columns = frozenset(name for (name,) in columns)

    def poll(self) -> Batch | None:
        """Return the next batch; None at the end."""
        with self._failures():
            row = self._row(_NEXT_BATCH, self._batch)
            if row is None:
                return None
            self._batch, source, begin_ns, end_ns, drained_ns = row
            return self._read(restored(source), begin_ns, end_ns, drained_ns)

    def costs(self) -> Iterator[CostSample]:
        """Yield what everything had cost, from sample to sample; a file of before there was this has none."""
        with self._failures():
            if self._row("SELECT name FROM sqlite_master WHERE name = ?", "costs") is not None:
                yield from unpacked_costs(self._rows("SELECT samples, head, data FROM costs ORDER BY id"))

    def close(self) -> None:
        """Close the file. May be called twice."""
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    def _read(self, source: str, begin_ns: int, end_ns: int, drained_ns: int | None) -> Batch:
        tables = self._tables()
        paths = tables.pop(PATHS, b"")
        births = tables.get("births")
        named = int(births["path_bytes"].sum(dtype=np.int64)) if births is not None else 0
        if named != len(paths):
            raise BadBlob("paths and births do not fit")
        return Batch(
            source=source,
            begin_ns=begin_ns,
            end_ns=end_ns,
            drained_ns=drained_ns,
            paths=paths,
            stacks=self._stacks(),
            handles=tuple(self._pictures()),
            samples=self._samples(),
            losses={restored(name): count for name, count in self._of_batch(_LOSSES)},
            invisible=tuple(restored(sentence) for (sentence,) in self._of_batch(_INVISIBLE)),
            **tables,
        )

    def _tables(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, count, blob in self._of_batch("SELECT name, rows, data FROM columns WHERE batch = ?"):
            if name == PATHS:
                found[name] = inflated(blob, min(count, LIMIT_BYTES))
            elif name == SUBJECTS:
                found[name] = unpacked_subjects(inflated(blob, min(count, LIMIT_BYTES)))
            elif name in COLUMNS:
                found[name] = self._unpacked(name, count, blob)
        return found

    def _unpacked(self, name: str, count: int, blob: bytes) -> Rows:
        if not 0 <= count <= MAX_ROWS or name not in self._layouts:
            raise BadBlob(f"{name}: {count} rows")
        return unpacked(blob, count, self._layouts[name], LAYOUTS[name])

    def _stacks(self) -> dict[int, Stack]:
        found = self._of_batch(
            "SELECT stack_id, complete, frames FROM new_stacks JOIN stacks ON stacks.id = new_stacks.stack "
            "WHERE batch = ? ORDER BY place"
        )
        return {
            unsigned(stack_id): Stack(tuple(map(self._frame, _frame_numbers(blob))), bool(complete))
            for stack_id, complete, blob in found
        }

    def _frame(self, number: int) -> Frame:
        if number not in self._frames:
            row = self._row("SELECT function, file, line FROM frames WHERE id = ?", number)
            if row is None:
                raise BadBlob(f"no frame {number}")
            self._frames[number] = Frame(restored(row[0]), restored(row[1]), int(row[2]))
        return self._frames[number]

    def _pictures(self) -> Iterator[Handles]:
        found = self._of_batch(
            "SELECT pid, begin_ns, end_ns, rows, data, texts FROM pictures WHERE batch = ? ORDER BY place"
        )
        for pid, begin_ns, end_ns, count, blob, texts in found:
            shown = self._unpacked(PICTURE, count, blob)
            yield Handles(pid, begin_ns, end_ns, shown, _texts(texts, count))

    def _samples(self) -> Rows:
        fields = [field for field in SAMPLE_FIELDS if sample_column(*field) in self._sample_columns]
        names = ", ".join(sample_column(name, place) for name, place in fields)
        found = list(self._of_batch(f"SELECT {names} FROM samples WHERE batch = ? ORDER BY place"))
        samples = rows.unmeasured(len(found))
        for row, values in enumerate(found):
            for (name, place), value in zip(fields, values, strict=True):
                wrapped = np.int64(value).astype(rows.SAMPLE[name].base)
                if place is None:
                    samples[name][row] = wrapped
                else:
                    samples[name][row, place] = wrapped
        return samples

    def _of_batch(self, query: str) -> Iterator[tuple[Any, ...]]:
        return self._rows(query, self._batch)

    def _rows(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        if self._database is None:
            raise UnreadableRecording(f"{self.path}: the recording is not open")
        return self._database.execute(query, values)

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
        except _DAMAGE as error:
            where = f"batch {self._batch}" if self._batch else "its head"
            raise UnreadableRecording(
                f"{self.path}: the recording is damaged in {where} ({error})"
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
        database.execute("SELECT count(*) FROM batches").fetchone()
    except sqlite3.Error:
        database.close()
        raise
    return database


def _layout(fields: str) -> Layout:
    stored = [(str(name), np.dtype(kind).str, int(count)) for name, kind, count in json.loads(fields)]
    if any(np.dtype(kind).kind not in "iu" or not 0 < count <= 1024 for _, kind, count in stored):
        raise BadBlob("a layout of something else")
    return stored


def _frame_numbers(blob: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(blob) // 4}I", blob)


def _texts(blob: bytes, count: int) -> tuple[str, ...]:
    texts = json.loads(inflated(blob, LIMIT_BYTES))
    if not isinstance(texts, list) or len(texts) != count or not all(isinstance(text, str) for text in texts):
        raise BadBlob("texts and rows do not fit")
    return tuple(texts)
