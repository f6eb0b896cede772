"""The state of a ledger as a batch: what a run that is cut off in front begins with.

A recording that keeps only its last minutes, and a report on a part of a run, need what was open, followed
and measured when that part began; what flowed before is of no account. A ledger that begins with this batch
has the same descriptors with the same ages and birth lines; what has no known birth is inherited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from memprobe.ledger.entries import Mark
from memprobe.ledger.handles import HandleLedger, OpenHandles
from memprobe.ledger.populations import DERIVED, Populations
from memprobe.ledger.streams import Integers
from memprobe.ledger.tables import Table
from memprobe.vocab.batch import OPENING, Batch, Handles
from memprobe.vocab.rows import BIRTH, NOT_MEASURED, OPEN_HANDLE, POPULATION, TABLE, Rows, no_rows
from memprobe.vocab.subject import Subject

if TYPE_CHECKING:
    from memprobe.ledger.ledger import Ledger

_WORD_BITS = 64
_SAME = ("stack_id", "pid", "tid", "descriptor", "source", "detail", "weight", "how")
_SHOWN = (
    "descriptor",
    "kind",
    "state",
    "family",
    "inode",
    "size_bytes",
    "receive_queue_bytes",
    "send_queue_bytes",
)


def opening(ledger: Ledger) -> Batch:
    """Return what a ledger must begin with to go on from here."""
    handles, now_ns = ledger.handles, ledger.now_ns
    made = [_table_rows(files, table) for files, table in handles.tables()]
    births = [_births(files, table) for files, table in handles.tables()]
    return Batch(
        source=OPENING,
        begin_ns=now_ns,
        end_ns=now_ns,
        drained_ns=handles.drained_ns and now_ns,
        births=np.concatenate([no_rows(BIRTH), *births]),
        tables=np.concatenate([no_rows(TABLE), *made]),
        stacks=dict(ledger.stacks),
        handles=tuple(_picture(handles, pid, now_ns) for pid in sorted(handles.processes())),
        samples=ledger.processes.newest(),
        populations=_populations(ledger.populations),
        subjects=_subjects(ledger.populations),
    )


def _is_born(table: Table) -> Integers:
    """Tell which entries have a birth of their own; the others are inherited from here on."""
    born: Integers = (table.rows["birth_ns"] != 0) & ((table.rows["marks"] & Mark.COPIED) == 0)
    return born


def _births(files: int, table: Table) -> Rows:
    """Their texts come with the pictures."""
    entries = table.rows[_is_born(table)]
    births = np.zeros(len(entries), BIRTH)
    for name in _SAME:
        births[name] = entries[name]
    births["time_ns"], births["files"] = entries["birth_ns"], files
    return births


def _table_rows(files: int, table: Table) -> Rows:
    """Return a census of what has no birth, for every process that uses the table.

    Its time is that since when all of them are known to be open: their ages are not overstated.
    """
    is_born = _is_born(table)
    since_ns = int(table.rows["seen_ns"][~is_born].max(initial=0))
    entries = table.rows[~is_born | (table.rows["birth_ns"] <= since_ns)]
    parts = _bits(entries["descriptor"]) if table.complete else []
    rows = np.zeros(len(parts) * len(table.users), TABLE)
    users = [pid for pid in sorted(table.users) for _ in parts]
    rows["pid"], rows["tid"], rows["files"], rows["time_ns"] = users, users, files, since_ns
    for place in range(len(rows)):
        first, words = parts[place % len(parts)]
        rows["first"][place], rows["words"][place] = first * _WORD_BITS, len(words)
        rows["table_words"][place] = parts[-1][0] + len(parts[-1][1])
        rows["open"][place, : len(words)] = words
    return rows


def _bits(descriptors: Integers) -> list[tuple[int, Integers]]:
    """Return a set of descriptors as pieces of a bit set: first word, words."""
    size = TABLE["open"].shape[0]
    top = int(descriptors.max(initial=0)) // _WORD_BITS + 1
    bits = np.zeros(-(-top // size) * size * _WORD_BITS, np.uint8)
    bits[descriptors[descriptors >= 0]] = 1
    words = np.packbits(bits, bitorder="little").view("<u8")
    return [(first, words[first : first + size]) for first in range(0, len(words), size)]


def _picture(handles: HandleLedger, pid: int, now_ns: int) -> Handles:
    shown: OpenHandles = handles.open(pid)
    rows = np.zeros(len(shown.rows), OPEN_HANDLE)
    for name in _SHOWN:
        rows[name] = shown.rows[name]
    starts, lengths = shown.rows["text"].tolist(), shown.rows["text_bytes"].tolist()
    texts = tuple(shown.texts.get(start, length) for start, length in zip(starts, lengths, strict=True))
    return Handles(pid, now_ns, now_ns, rows, texts)


def _populations(populations: Populations) -> Rows:
    rows = [
        (
            one.time_ns,
            one.subject_id,
            one.pid,
            int(one.seen),
            one.count,
            NOT_MEASURED if one.bytes is None else one.bytes,
            NOT_MEASURED if one.oldest_ns is None else one.oldest_ns,
        )
        for one in populations
        if one.subject_id < DERIVED
    ]
    return np.array(rows, POPULATION)


def _subjects(populations: Populations) -> dict[int, Subject]:
    return {number: one for number, one in populations.subjects.items() if number < DERIVED}
