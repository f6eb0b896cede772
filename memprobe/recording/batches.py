"""One batch out of the tables of a recording: part by part, so that a damaged one costs nothing else."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterator, Mapping, Set
from functools import partial
from typing import Any

import numpy as np

from memprobe.recording.columns import LIMIT_BYTES, BadBlob, Layout, inflated, unpacked
from memprobe.recording.damage import Damage
from memprobe.recording.format import (
    COLUMNS,
    LAYOUTS,
    PATHS,
    PICTURE,
    SAMPLE_FIELDS,
    SUBJECTS,
    restored,
    sample_column,
    unsigned,
)
from memprobe.recording.subjects import unpacked_subjects
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch, Handles
from memprobe.vocab.rows import Rows
from memprobe.vocab.stack import Frame, Stack

MAX_ROWS = 1 << 24
"""No table of a batch has more rows than this; a file that says so is broken or hostile."""

_STACKS = (
    "SELECT stack_id, complete, frames FROM new_stacks JOIN stacks ON stacks.id = new_stacks.stack "
    "WHERE batch = ? ORDER BY place"
)
_PICTURES = "SELECT pid, begin_ns, end_ns, rows, data, texts FROM pictures WHERE batch = ? ORDER BY place"


class BatchReader:
    """Puts batches together from the tables of a database."""

    def __init__(
        self,
        database: sqlite3.Connection,
        damage: Damage,
        layouts: Mapping[str, Layout],
        dictionaries: Mapping[str, bytes],
        sampled: Set[str],
    ) -> None:
        """`sampled` are the columns of `samples`: an older file lacks some, which are not measured then."""
        self._database, self._damage, self._layouts = database, damage, layouts
        self._sampled = [field for field in SAMPLE_FIELDS if sample_column(*field) in sampled]
        names = ", ".join(sample_column(name, place) for name, place in self._sampled)
        self._select_samples = f"SELECT {names} FROM samples WHERE batch = ? ORDER BY place"
        self._frames: dict[int, Frame] = {}
        self._dictionaries = dictionaries

    def read(self, number: int, source: str, begin_ns: int, end_ns: int, drained_ns: int | None) -> Batch:
        """Return a batch, without what of it is damaged."""
        guarded = self._damage.guarded
        tables = self._tables(number)
        _fit_paths(tables, self._damage)
        return Batch(
            source=source,
            begin_ns=begin_ns,
            end_ns=end_ns,
            drained_ns=drained_ns,
            stacks=guarded("stacks", lambda: self._stacks(number), {}),
            handles=tuple(self._damage.each("pictures", self._pictures(number))),
            samples=guarded("samples", lambda: self._samples(number), rows.unmeasured(0)),
            losses=guarded("losses", lambda: self._losses(number), {}),
            invisible=guarded("invisible", lambda: self._invisible(number), ()),
            **tables,
        )

    def _tables(self, number: int) -> dict[str, Any]:
        stored = self._rows("SELECT name, rows, data FROM columns WHERE batch = ?", number)
        found: dict[str, Any] = {}
        for name, count, blob in self._damage.each("columns", stored):
            nothing: dict[str, Any] = {}
            found |= self._damage.guarded(name, partial(self._table, name, count, blob), nothing)
        return found

    def _table(self, name: str, count: int, blob: bytes) -> dict[str, Any]:
        """Return one table by its name; nothing if this memprobe does not know it."""
        common = self._dictionaries.get(name, b"")
        if name == PATHS:
            return {name: inflated(blob, min(count, LIMIT_BYTES), common)}
        if name == SUBJECTS:
            return {name: unpacked_subjects(inflated(blob, min(count, LIMIT_BYTES), common))}
        return {name: self._unpacked(name, count, blob)} if name in COLUMNS else {}

    def _unpacked(self, name: str, count: int, blob: bytes) -> Rows:
        if not 0 <= count <= MAX_ROWS or name not in self._layouts:
            raise BadBlob(f"{name}: {count} rows")
        common = self._dictionaries.get(name, b"")
        return unpacked(blob, count, self._layouts[name], LAYOUTS[name], common)

    def _stacks(self, number: int) -> dict[int, Stack]:
        return {
            unsigned(stack_id): Stack(tuple(map(self._frame, _frame_numbers(blob))), bool(complete))
            for stack_id, complete, blob in self._rows(_STACKS, number)
        }

    def _frame(self, number: int) -> Frame:
        if number not in self._frames:
            row = next(self._rows("SELECT function, file, line FROM frames WHERE id = ?", number), None)
            if row is None:
                raise BadBlob(f"no frame {number}")
            self._frames[number] = Frame(restored(row[0]), restored(row[1]), int(row[2]))
        return self._frames[number]

    def _pictures(self, number: int) -> Iterator[Handles]:
        for pid, begin_ns, end_ns, count, blob, texts in self._rows(_PICTURES, number):
            if not 0 <= pid < 1 << 32:
                raise BadBlob("a picture of no process")
            shown = self._unpacked(PICTURE, count, blob)
            yield Handles(int(pid), int(begin_ns), int(end_ns), shown, _texts(texts, count))

    def _samples(self, number: int) -> Rows:
        found = list(self._rows(self._select_samples, number))
        samples = rows.unmeasured(len(found))
        for row, values in enumerate(found):
            for (name, place), value in zip(self._sampled, values, strict=True):
                wrapped = np.int64(value).astype(rows.SAMPLE[name].base)
                if place is None:
                    samples[name][row] = wrapped
                else:
                    samples[name][row, place] = wrapped
        return samples

    def _losses(self, number: int) -> dict[str, int]:
        found = self._rows("SELECT name, count FROM losses WHERE batch = ?", number)
        return {restored(name): int(count) for name, count in found}

    def _invisible(self, number: int) -> tuple[str, ...]:
        found = self._rows("SELECT sentence FROM invisible WHERE batch = ? ORDER BY place", number)
        return tuple(restored(sentence) for (sentence,) in found)

    def _rows(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        yield from self._database.execute(query, values)


def _fit_paths(tables: dict[str, Any], damage: Damage) -> None:
    """Leave out the paths where they are not those of the births: one of the two is damaged."""
    births, paths = tables.get("births"), tables.get(PATHS, b"")
    named = 0 if births is None else int(births["path_bytes"].sum(dtype=np.int64))
    if named == len(paths):
        return
    damage.add(PATHS)
    tables.pop(PATHS, None)
    if births is not None:
        births["path_bytes"] = 0


def _frame_numbers(blob: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(blob) // 4}I", blob)


def _texts(blob: bytes, count: int) -> tuple[str, ...]:
    texts = json.loads(inflated(blob, LIMIT_BYTES))
    if not isinstance(texts, list) or len(texts) != count or not all(isinstance(text, str) for text in texts):
        raise BadBlob("texts and rows do not fit")
    return tuple(texts)
