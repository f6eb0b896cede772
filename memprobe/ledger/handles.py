"""What is open now, since when, born where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from memprobe.ledger import reconciling
from memprobe.ledger.batch_fold import BatchFold
from memprobe.ledger.entries import ENTRY
from memprobe.ledger.extensions import NOT_NAMED, Codes, extensions
from memprobe.ledger.folding import joined
from memprobe.ledger.reconciling import ALL, Shown, UnderWay
from memprobe.ledger.state import GRACE_NS, Evidence, State
from memprobe.ledger.tables import Table
from memprobe.ledger.texts import Numbers, Texts
from memprobe.vocab.batch import Batch, Handles
from memprobe.vocab.kinds import HandleKind, SocketState
from memprobe.vocab.rows import Rows

NAMED = 4096
"""Of the lifetimes of a batch that ended, so many are told by extension, evenly chosen: 0.4 us each."""

_STATES = {state.value: state.name for state in SocketState if state is not SocketState.NONE}


@dataclass(frozen=True, slots=True, eq=False)
class OpenHandles:
    """Open descriptors at the end of a batch."""

    rows: Rows
    """ENTRY rows. Where a table is shared its descriptors stand here once."""

    texts: Texts
    """What they point to; holds until the next batch is folded."""

    def text(self, row: int) -> str:
        """What one of them points to: path, or peer and state of a socket, as far as it is known."""
        text = self.texts.get(int(self.rows["text"][row]), int(self.rows["text_bytes"][row]))
        state = _STATES.get(int(self.rows["state"][row]), "")
        return f"{text} {state}" if text and state else text


@dataclass(frozen=True, slots=True)
class Standing:
    """How the descriptors of a process are known."""

    is_complete: bool
    """Whether what was open at the attach is among them."""

    is_watched: bool
    """Whether births and deaths are observed; if not, only pictures change anything."""

    pictured_ns: int
    """When the last picture ended; 0 if there is none."""


class HandleLedger:
    """Births, deaths, censuses and pictures folded into the open descriptors of every observed process.

    `tree` is whether children are observed, too.
    """

    def __init__(self, *, tree: bool = True, grace_ns: int = GRACE_NS) -> None:
        self._state = State(tree=tree, grace_ns=grace_ns)
        self._drained_ns = 0
        self._waiting: list[Handles] = []

    @property
    def evidence(self) -> Evidence:
        """How far the entries can be trusted; counts since the beginning."""
        return self._state.evidence

    def fold(self, batch: Batch) -> Rows:
        """Take a batch in; return the lifetimes that ended in it (FINISHED rows)."""
        BatchFold(self._state, batch).run()
        self._note_drained(batch.drained_ns)
        self._waiting += batch.handles
        self._compare_pictures()
        finished = self._state.take_finished()
        self._add_extensions(finished, batch)
        self._state.compact_texts()
        return finished

    def open(self, pid: int | None = None) -> OpenHandles:
        """Return what is open, in one process or in all."""
        tables = [table for table in self._state.tables if pid is None or pid in table.users]
        rows = joined(ENTRY, *(table.rows for table in tables))
        return OpenHandles(rows, self._state.texts)

    def standing(self, pid: int) -> Standing:
        """Say how what `open` returns is known."""
        tables = [table for table in self._state.tables if pid in table.users]
        return Standing(
            is_complete=bool(tables) and all(table.complete for table in tables),
            is_watched=all(table.trusted for table in tables),
            pictured_ns=max((table.pictured_ns for table in tables), default=0),
        )

    def extensions(self, rows: Rows) -> Codes:
        """Return the extensions of the files that ENTRY or FINISHED rows are; 0 for what is none."""
        codes = np.zeros(len(rows), np.uint64)
        named = np.flatnonzero((rows["kind"] == HandleKind.FILE) & (rows["text_bytes"] != 0))
        starts, lengths = (rows[name][named].astype(np.int64) for name in ("text", "text_bytes"))
        codes[named] = self._state.texts.extensions(starts, lengths)
        return codes

    def _add_extensions(self, finished: Rows, batch: Batch) -> None:
        """Name what came and went in this batch by its path, everything else by the text of its entry."""
        if not len(finished):
            return
        which = np.arange(0, len(finished), 1 + len(finished) // NAMED)
        named = finished[which]
        codes = self.extensions(named)
        born = np.flatnonzero(named["birth"])
        if len(born) and batch.paths:
            lengths = batch.births["path_bytes"].astype(np.int64)
            births = named["birth"][born].astype(np.int64) - 1
            starts = (np.cumsum(lengths) - lengths)[births]
            paths = np.frombuffer(batch.paths, np.uint8)
            codes[born] = extensions(paths, starts, lengths[births])
        finished["extension"] = NOT_NAMED
        finished["extension"][which] = codes

    def processes(self) -> frozenset[int]:
        """Return the processes that have descriptors."""
        return frozenset[int]().union(*(table.users for table in self._state.tables))

    def has_ended(self, pid: int) -> bool:
        """Tell whether a process has ended since it was observed."""
        return pid in self._state.ended

    def tables(self) -> Iterator[tuple[int, Table]]:
        """Return every table of descriptors with its address."""
        return self._state.tables.items()

    @property
    def drained_ns(self) -> int:
        """Every birth and death before this instant has come; 0 if they are not observed."""
        return self._drained_ns

    def begin(self) -> None:
        """Count from here: what was compared so far made the state that a part of a run begins with."""
        self._state.evidence = Evidence()

    def _note_drained(self, drained_ns: int | None) -> None:
        if drained_ns is not None:
            self._drained_ns = drained_ns
        if not self._drained_ns:
            for table in self._state.tables:
                table.trusted = False

    def _compare_pictures(self) -> None:
        """Compare the pictures behind which no event can come any more; keep the others."""
        waiting, self._waiting = self._waiting, []
        for picture in waiting:
            if self._drained_ns and picture.end_ns > self._drained_ns:
                self._waiting.append(picture)
            elif self._is_outdated(picture):
                self._state.evidence.outdated += 1
            else:
                self._compare_picture(picture)

    def _is_outdated(self, picture: Handles) -> bool:
        table = self._state.tables.get(self._state.tables.of(picture.pid))
        ended_ns = self._state.ended.get(picture.pid, -1)
        return ended_ns >= picture.begin_ns or (table is not None and table.since_ns > picture.begin_ns)

    def _compare_picture(self, picture: Handles) -> None:
        files = self._state.tables.of(picture.pid)
        table = self._state.tables.used_by(files, picture.pid)
        rows, starts, lengths = self._sorted(picture)
        left_out = table.touched_since(picture.begin_ns)
        self._state.replace(table, reconciling.replaced(table.rows, rows, left_out), picture.end_ns)
        shown = Shown(rows["descriptor"], -ALL, ALL)
        under_way = UnderWay(left_out, left_out)
        self._state.compare(table, shown, lambda: under_way, picture.pid, picture.end_ns)
        reconciling.describe(table.rows, rows, starts, lengths, left_out)
        table.complete, table.trusted, table.next_census = True, self._drained_ns > 0, None
        table.pictured_ns = picture.end_ns

    def _sorted(self, picture: Handles) -> tuple[Rows, Numbers, Numbers]:
        """Return a picture's rows by descriptor, each once, with their texts."""
        starts, lengths = self._state.texts.add_strings(picture.texts)
        _, once = np.unique(picture.rows["descriptor"], return_index=True)
        return picture.rows[once], starts[once], lengths[once]
