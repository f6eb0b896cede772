"""The ring: what a reader who begins at an opening does not need is taken out; the file stays bounded.

SQLite uses the room again; the file keeps the size that it once had.
"""

from __future__ import annotations

import sqlite3
import struct

from memprobe.recording.format import OF_BATCH

_FIRST_NEEDED = (
    "SELECT batch, cost FROM openings JOIN batches ON batches.id = openings.batch "
    "WHERE end_ns <= ? ORDER BY batch DESC LIMIT 1"
)


def add_opening(database: sqlite3.Connection, batch: int) -> None:
    """Note that a reader may begin with this batch; cost samples begin anew behind it, too."""
    next_cost = "SELECT coalesce(max(id), 0) + 1 FROM costs"
    database.execute(f"INSERT INTO openings VALUES (?, ({next_cost}))", (batch,))


def prune(database: sqlite3.Connection, since_ns: int) -> bool:
    """Take out what is before the last opening older than this instant; tell whether there is one."""
    row = database.execute(_FIRST_NEEDED, (since_ns,)).fetchone()
    if row is None:
        return False
    batch, cost = row
    for table in OF_BATCH:
        database.execute(f"DELETE FROM {table} WHERE batch < ?", (batch,))
    database.execute("DELETE FROM openings WHERE batch < ?", (batch,))
    database.execute("DELETE FROM batches WHERE id < ?", (batch,))
    database.execute("DELETE FROM costs WHERE id < ?", (cost,))
    _prune_stacks(database)
    return True


def _prune_stacks(database: sqlite3.Connection) -> None:
    """Stacks that no batch brings any more, and frames that no stack has."""
    database.execute("DELETE FROM stacks WHERE id NOT IN (SELECT stack FROM new_stacks)")
    used: set[int] = set()
    for (blob,) in database.execute("SELECT frames FROM stacks"):
        used.update(struct.unpack(f"<{len(blob) // 4}I", blob))
    unused = [(number,) for (number,) in database.execute("SELECT id FROM frames") if number not in used]
    database.executemany("DELETE FROM frames WHERE id = ?", unused)
