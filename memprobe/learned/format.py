"""The file: its tables, its version, and what is in which table. See README.md."""

from __future__ import annotations

APPLICATION_ID = 0x6D70726C
"""The bytes "mprl" in the header of the file."""

VERSION = 1
"""Counts up with every change that an older memprobe could not understand."""

SCHEMA = """
CREATE TABLE programs (
    program TEXT PRIMARY KEY, runs INTEGER NOT NULL, first_s REAL NOT NULL, last_s REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE habits (
    program TEXT NOT NULL, kind TEXT NOT NULL, grp TEXT NOT NULL, site TEXT NOT NULL,
    state TEXT NOT NULL, updated_s REAL NOT NULL, PRIMARY KEY (program, kind, grp, site)
) WITHOUT ROWID;
CREATE TABLE findings (
    program TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL, site TEXT NOT NULL,
    confidence REAL NOT NULL, seen_s REAL NOT NULL, PRIMARY KEY (program, id)
) WITHOUT ROWID;
CREATE TABLE opinions (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL,
    said_s REAL NOT NULL
);
CREATE TABLE observations (
    id INTEGER PRIMARY KEY, program TEXT NOT NULL, kind TEXT NOT NULL, grp TEXT NOT NULL, site TEXT NOT NULL,
    age_s REAL NOT NULL, size_bytes INTEGER, ended INTEGER NOT NULL, seen_s REAL NOT NULL
);
CREATE INDEX observed ON observations (program, id);
"""

MAX_PROGRAMS = 200
MAX_HABITS = 2000
"""Of one program; those that were seen last are kept."""

MAX_ALL_HABITS = 20_000
"""Of all programs; each takes some hundred bytes."""

MAX_FINDINGS = 200
MAX_OBSERVATIONS = 1000
MAX_OPINIONS = 1000
MAX_DAYS = 400
"""What was not seen for so long is forgotten."""
