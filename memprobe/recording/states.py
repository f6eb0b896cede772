"""States: what a run had come to, so that who reads the recording need not fold it again from its begin.

A state is nothing that the batches do not say: where it is missing, damaged, or of another memprobe, the
batches are folded instead. The last one stays, and of those before it one an hour.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from memprobe.recording.columns import SMALL_LEVEL, BadBlob, inflated
from memprobe.recording.damage import BROKEN
from memprobe.vocab.digest import blake2b

APART_NS = 3_600_000_000_000
"""Of states that are not the last: so far apart they are kept. One has 50 to 150 kB."""

LIMIT_BYTES = 1 << 26
"""A state that is larger is not kept."""

_SEAL_BYTES = 16

SCHEMA = """
CREATE TABLE states (
    batch INTEGER PRIMARY KEY, end_ns INTEGER NOT NULL, made_by TEXT NOT NULL, data BLOB NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class State:
    """What a run had come to."""

    end_ns: int
    """As far as was folded, in the time of the batches."""

    made_by: str
    """Of which memprobe the objects are: another one's may be different."""

    data: bytes
    """The objects (nodes.py)."""


def add_state(database: sqlite3.Connection, batch: int, state: State) -> None:
    """Store a state as of a batch, in the place of the last one if that is too near to its predecessor."""
    earlier = database.execute("SELECT batch, end_ns FROM states ORDER BY batch DESC LIMIT 2").fetchall()
    if len(earlier) == 2 and earlier[0][1] - earlier[1][1] < APART_NS:
        database.execute("DELETE FROM states WHERE batch = ?", earlier[0][:1])
    blob = zlib.compress(_seal(batch, state) + state.data, SMALL_LEVEL)
    row = (batch, state.end_ns, state.made_by, blob)
    database.execute("INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?)", row)


def stored_states(database: sqlite3.Connection, until_ns: int) -> Iterator[tuple[int, State]]:
    """Yield the states up to an instant, the last first, each with its batch; those that can be read."""
    heads = "SELECT batch, end_ns, made_by FROM states WHERE end_ns <= ? ORDER BY batch DESC"
    try:
        found = database.execute(heads, (until_ns,)).fetchall()
    except BROKEN:
        return
    for batch, end_ns, made_by in found:
        try:
            (blob,) = database.execute("SELECT data FROM states WHERE batch = ?", (batch,)).fetchone()
            content = inflated(blob, _SEAL_BYTES + LIMIT_BYTES)
            state = State(int(end_ns), str(made_by), content[_SEAL_BYTES:])
            if content[:_SEAL_BYTES] != _seal(int(batch), state):
                raise BadBlob("not what was stored")
        except BROKEN:
            continue
        yield int(batch), state


def _seal(batch: int, state: State) -> bytes:
    """Return what tells that nothing of a state was changed since: of another batch it would be wrong."""
    head = f"{batch} {state.end_ns} {state.made_by}\n".encode("utf-8", "replace")
    return blake2b(head + state.data, digest_size=_SEAL_BYTES).digest()
