"""The file: its tables, its version, and what is in which table. See README.md."""

from __future__ import annotations

import numpy as np

from memprobe.vocab import rows

APPLICATION_ID = 0x6D70726F
"""The bytes "mpro" in the header of the file: what file(1) and memprobe know a recording by."""

VERSION = 2
"""Counts up with every change that an older reader could not understand.

1: no openings: every recording began with its run.
2: openings: a recording may begin later, and one that is read from its start passes over the later ones;
   dictionaries: what the blobs of a table have in common.
"""

SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE batches (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, begin_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
    drained_ns INTEGER
);
CREATE TABLE layouts (name TEXT PRIMARY KEY, fields TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE columns (
    batch INTEGER NOT NULL, name TEXT NOT NULL, rows INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (batch, name)
) WITHOUT ROWID;
CREATE TABLE frames (
    id INTEGER PRIMARY KEY, function TEXT NOT NULL, file TEXT NOT NULL, line INTEGER NOT NULL
);
CREATE TABLE stacks (
    id INTEGER PRIMARY KEY, stack_id INTEGER NOT NULL, complete INTEGER NOT NULL, frames BLOB NOT NULL
);
CREATE TABLE new_stacks (
    batch INTEGER NOT NULL, place INTEGER NOT NULL, stack INTEGER NOT NULL, PRIMARY KEY (batch, place)
) WITHOUT ROWID;
CREATE TABLE pictures (
    batch INTEGER NOT NULL, place INTEGER NOT NULL, pid INTEGER NOT NULL, begin_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL, rows INTEGER NOT NULL, data BLOB NOT NULL, texts BLOB NOT NULL,
    PRIMARY KEY (batch, place)
) WITHOUT ROWID;
CREATE TABLE losses (
    batch INTEGER NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (batch, name)
) WITHOUT ROWID;
CREATE TABLE dictionaries (name TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE openings (batch INTEGER PRIMARY KEY, cost INTEGER NOT NULL);
CREATE TABLE costs (id INTEGER PRIMARY KEY, samples INTEGER NOT NULL, head TEXT, data BLOB NOT NULL);
CREATE TABLE invisible (
    batch INTEGER NOT NULL, place INTEGER NOT NULL, sentence TEXT NOT NULL, PRIMARY KEY (batch, place)
) WITHOUT ROWID;
"""

COLUMNS: dict[str, np.dtype[np.void]] = {
    "births": rows.BIRTH,
    "deaths": rows.DEATH,
    "processes": rows.PROCESS,
    "tables": rows.TABLE,
    "collections": rows.COLLECTION,
    "growth": rows.GROWTH,
    "populations": rows.POPULATION,
    "looks": rows.LOOK,
    "regions": rows.REGION,
    "watches": rows.WATCH,
    "changes": rows.CHANGE,
}
"""The tables of a batch that are stored as blobs of columns."""

PATHS = "paths"
"""The paths of the births: a blob, too, of plain bytes."""

SUBJECTS = "subjects"
"""What the populations count: a blob, too; JSON (subjects.py). `rows` is its size in bytes."""

PICTURE = "handles"
"""The name under which the layout of a picture's rows is stored."""

OF_BATCH = ("columns", "new_stacks", "pictures", "samples", "losses", "invisible")
"""The tables whose rows belong to a batch by its id."""

LAYOUTS = {**COLUMNS, PICTURE: rows.OPEN_HANDLE}

SAMPLE_FIELDS = tuple(
    (name, place)
    for name in rows.SAMPLE.names or ()
    for place in (range(rows.SAMPLE[name].shape[0]) if rows.SAMPLE[name].shape else (None,))
)
"""The columns of the table `samples`: a field, and the place in it where it has several."""


def sample_column(name: str, place: int | None) -> str:
    """Return the name of a column of `samples`."""
    return name if place is None else f"{name}_{place}"


SAMPLES_SCHEMA = (
    "CREATE TABLE samples (batch INTEGER NOT NULL, place INTEGER NOT NULL, "
    + "".join(f"{sample_column(name, place)} INTEGER, " for name, place in SAMPLE_FIELDS)
    + "PRIMARY KEY (batch, place)) WITHOUT ROWID;"
)


def signed(number: int) -> int:
    """Return a 64-bit number as SQLite can hold it: from 2**63 on it is negative."""
    return number - (1 << 64) if number >= 1 << 63 else number


def unsigned(number: int) -> int:
    """Undo `signed`."""
    return number + (1 << 64) if number < 0 else number


def storable(text: str) -> str | bytes:
    """Return text as SQLite can hold it: names in code objects may have lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def restored(value: str | bytes) -> str:
    """Undo `storable`."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else str(value)
