"""Heaps in a file: all of it comes back; what is damaged or made up costs that part, and no more memory."""

from __future__ import annotations

import io
import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from memprobe.recording import RecordingReader, RecordingWriter, heaps
from memprobe.recording.heaps import AT_ONCE, HEAP_PARTS, MOST_BYTES, MOST_PARTS, SCHEMA, add_heap, spill
from memprobe.vocab.kept_heap import KeptHeap
from recording.writing import FACTS, batch

KINDS = st.sampled_from([np.dtype(f"<u{width}") for width in (1, 2, 4, 8)])


def heap(**arrays: npt.NDArray[Any]) -> KeptHeap:
    return KeptHeap({"words": ["one", "…", 2, None]}, arrays)


def stored(kept: KeptHeap) -> sqlite3.Connection:
    database, content = sqlite3.connect(":memory:"), io.BytesIO()
    database.executescript(SCHEMA)
    add_heap(database, spill(kept, content), content)
    return database


def read(database: sqlite3.Connection) -> KeptHeap | None:
    query = "SELECT data FROM heap WHERE name = ? AND part = ?"
    heads = iter(database.execute(HEAP_PARTS))
    return heaps.stored_heap(heads, lambda *place: database.execute(query, place).fetchone()[0])


def same(one: KeptHeap, other: KeptHeap | None) -> bool:
    assert other is not None
    equal = (np.array_equal(array, other.arrays[name]) for name, array in one.arrays.items())
    return one.texts == other.texts and one.arrays.keys() == other.arrays.keys() and all(equal)


@given(KINDS.flatmap(lambda kind: arrays_of.arrays(kind, st.integers(0, 200))))
def test_any_numbers_come_back(numbers: npt.NDArray[Any]) -> None:
    kept = heap(numbers=numbers, ordered=np.sort(numbers))
    found = read(stored(kept))
    assert same(kept, found)
    assert found is not None
    assert found.arrays["numbers"].dtype == numbers.dtype


def test_what_does_not_fit_into_one_part() -> None:
    kept = heap(many=np.arange(2 * AT_ONCE + 5, dtype=np.uint64) * np.uint64(16))
    database = stored(kept)
    assert database.execute("SELECT count(*) FROM heap WHERE name = 'many'").fetchone() == (3,)
    assert database.execute("SELECT sum(length(data)) FROM heap").fetchone()[0] < 20_000
    assert same(kept, read(database))


def test_the_next_one_takes_the_place_of_the_one_before() -> None:
    database, content = stored(heap(old=np.arange(9, dtype=np.uint32))), io.BytesIO()
    kept = heap(new=np.arange(7, dtype=np.uint8))
    add_heap(database, spill(kept, content), content)
    assert same(kept, read(database))


def test_of_one_that_is_too_large_the_texts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(1).integers(0, 1 << 62, 100_000).astype(np.uint64)
    monkeypatch.setattr(heaps, "MOST_STORED", 1 << 16)
    found = read(stored(heap(large=chance)))
    assert found == KeptHeap(heap().texts, {})


def test_none_is_none(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "run.mprobe", FACTS) as writer:
        writer.write(batch(1))
    with RecordingReader(tmp_path / "run.mprobe") as reader:
        assert reader.heap() is None
    with closing(sqlite3.connect(tmp_path / "run.mprobe")) as database:
        database.execute("DROP TABLE heap")  # a file of before there was this
    with RecordingReader(tmp_path / "run.mprobe") as reader:
        assert reader.heap() is None


def test_it_is_in_the_file_with_everything_else(tmp_path: Path) -> None:
    kept, content = heap(numbers=np.arange(99, dtype=np.uint32)), io.BytesIO()
    pieces = spill(kept, content)
    with RecordingWriter(tmp_path / "run.mprobe", FACTS) as writer:
        writer.write(batch(1))
        writer.write_heap(pieces, content)
        writer.write(batch(2))
    with RecordingReader(tmp_path / "run.mprobe") as reader:
        assert same(kept, reader.heap())
        assert sum(1 for _ in iter(reader.poll, None)) == 2


HUGE = zlib.compress(json.dumps("x" * 100_000).encode())


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE heap SET data = x'00' WHERE name = 'broken'",
        "UPDATE heap SET data = substr(data, 1, length(data) - 1) WHERE name = 'broken'",
        "UPDATE heap SET count = count + 1 WHERE name = 'broken'",
        "UPDATE heap SET count = -1 WHERE name = 'broken'",
        "UPDATE heap SET count = 1 << 62 WHERE name = 'broken'",
        "UPDATE heap SET count = 'many' WHERE name = 'broken'",
        "UPDATE heap SET kind = '<f8' WHERE name = 'broken'",
        "UPDATE heap SET kind = '|O' WHERE name = 'broken'",
        "UPDATE heap SET kind = 'json' WHERE name = 'broken'",
        "UPDATE heap SET kind = 'json', count = 9, data = $huge WHERE name = 'broken'",
        "UPDATE heap SET data = NULL WHERE name = 'broken'",
        "INSERT INTO heap SELECT name, 2, kind, count, data FROM heap WHERE name = 'broken'",
    ],
)
def test_what_is_damaged_is_named_and_the_rest_is_there(change: str) -> None:
    numbers = np.random.default_rng(1).integers(0, 1 << 32, 1000, np.uint32)
    kept = heap(broken=numbers, whole=np.arange(1000, dtype=np.uint32))
    database = stored(kept)
    if "NULL" in change:  # a table that somebody made without the constraint
        database.executescript(SCHEMA.replace(" heap ", " other ").replace("data BLOB NOT NULL", "data BLOB"))
        database.executescript("INSERT INTO other SELECT * FROM heap; DROP TABLE heap;")
        database.execute("ALTER TABLE other RENAME TO heap")
    database.execute(change, {"huge": HUGE} if "$huge" in change else {})
    found = read(database)
    assert found is not None
    assert found.lost == ("broken",)
    assert found.texts == kept.texts
    assert np.array_equal(found.arrays["whole"], kept.arrays["whole"])


def test_numbers_that_take_no_room_in_the_file_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A part of a million equal numbers is a few bytes: so many of them are as far as it goes."""
    monkeypatch.setattr(heaps, "MOST_BYTES", 4 * AT_ONCE * 8)
    kept = heap(a=np.zeros(3 * AT_ONCE, np.uint64), b=np.zeros(AT_ONCE, np.uint64))
    database = stored(kept)
    database.execute("INSERT INTO heap SELECT 'c', part, kind, count, data FROM heap WHERE name = 'a'")
    found = read(database)
    assert found is not None
    assert (set(found.arrays), found.lost) == ({"a", "b"}, ("c",))


def test_so_many_parts_are_looked_at() -> None:
    database = stored(heap())
    rows = ((f"n{number}", 0, "<u1", 0, b"") for number in range(2 * MOST_PARTS))
    database.executemany("INSERT INTO heap VALUES (?, ?, ?, ?, ?)", rows)
    assert len(database.execute(HEAP_PARTS).fetchall()) == MOST_PARTS
    assert MOST_PARTS * AT_ONCE > MOST_BYTES / 8
