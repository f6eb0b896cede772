"""The fold of one batch into the tables of descriptors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from memprobe.abi import ProcessHow
from memprobe.ledger import folding
from memprobe.ledger.entries import End
from memprobe.ledger.folding import close_all
from memprobe.ledger.reconciling import ALL, Shown, UnderWay, open_descriptors
from memprobe.ledger.state import State
from memprobe.ledger.streams import PROCESS, TABLE, Barrier, Events, Integers, barriers, streams
from memprobe.ledger.tables import Table
from memprobe.ledger.texts import Bytes, Numbers
from memprobe.vocab.batch import Batch
from memprobe.vocab.rows import Rows

WORD_BITS = 64


class BatchFold:
    """Goes through a batch in order of time: single events by the thousand, barriers one by one."""

    def __init__(self, state: State, batch: Batch) -> None:
        self._state = state
        self._tables = state.tables
        self._batch = batch
        self._streams = streams(batch)
        self._paths: Bytes = np.frombuffer(batch.paths, np.uint8)
        self._path_bytes: Numbers = batch.births["path_bytes"].astype(np.int64)
        self._path_starts: Numbers = np.cumsum(self._path_bytes) - self._path_bytes

    def run(self) -> None:
        """Fold the batch."""
        for barrier in barriers(self._batch):
            self._apply(barrier)
        for files in self._streams:
            self._advance(files)

    def _apply(self, barrier: Barrier) -> None:
        if barrier.rank == PROCESS:
            row = self._batch.processes[barrier.row]
            apply = _PROCESSES.get(int(row["how"]))
            if apply:
                apply(self, row)
        elif barrier.rank == TABLE:
            self._census(self._batch.tables[barrier.row])
        else:
            self._close_range(self._batch.deaths[barrier.row])

    def _advance(self, files: int, until_ns: int | None = None) -> None:
        """Fold the events of a table as far as this instant."""
        stream = self._streams.get(files)
        events = stream.take(until_ns) if stream else None
        if events is None or not len(events):
            return
        self._note_users(files, events)
        table = self._tables.get(files)
        if table:  # deaths alone, in a table that nobody knows, say nothing
            self._fold(table, events)

    def _fold(self, table: Table, events: Events) -> None:
        folded = folding.fold(table.rows, events, self._batch.births, self._state.grace_ns)
        table.rows = folded.rows
        table.touch(folded.descriptors, folded.last_ns)
        self._state.finish(folded.finished)
        self._state.count(table, folded.repaired)
        self._add_texts(table.rows, folded.born, folded.births)
        folding.resolve_copies(table.rows, folded.born)

    def _add_texts(self, rows: Rows, places: Integers, births: Integers) -> None:
        lengths = self._path_bytes[births]
        named = np.flatnonzero(lengths)
        if len(named):
            starts = self._state.texts.add(self._paths, self._path_starts[births][named], lengths[named])
            rows["text"][places[named]] = starts
            rows["text_bytes"][places[named]] = lengths[named]

    def _note_users(self, files: int, events: Events) -> None:
        """Whoever gives birth in a table uses it."""
        births = events.what[events.what >= 0]
        pids = self._batch.births["pid"][births]
        for pid in pids[:1] if (pids == pids[:1]).all() else np.unique(pids):
            self._tables.used_by(files, int(pid))
            self._tables.belongs(int(pid), files, surely=False)

    def _census(self, row: Rows) -> None:
        files, pid, time_ns = int(row["files"]), int(row["pid"]), int(row["time_ns"])
        if pid in self._state.unobserved:
            return
        self._advance(files, time_ns)
        table = self._tables.used_by(files, pid)
        if row["tid"] == pid:
            self._tables.belongs(pid, files)
        first, words = int(row["first"]), min(int(row["words"]), len(row["open"]))
        last = first // WORD_BITS + words >= int(row["table_words"])
        end = ALL if last else first + words * WORD_BITS
        shown = Shown(open_descriptors(row["open"][:words], first), first, end)
        under_way = partial(self._under_way, files, table, time_ns)
        self._state.compare(table, shown, under_way, pid, time_ns)
        if last:
            table.complete, table.next_census = True, None

    def _under_way(self, files: int, table: Table, time_ns: int) -> UnderWay:
        grace_ns = self._state.grace_ns
        closing = table.touched_since(max(0, time_ns - grace_ns))
        if files not in self._streams:
            return UnderWay(closing, closing[:0])
        ahead = self._streams[files].ahead(time_ns + grace_ns)
        descriptors, first = np.unique(ahead.descriptor, return_index=True)
        is_birth = ahead.what[first] >= 0
        return UnderWay(np.union1d(closing, descriptors[is_birth]), descriptors[~is_birth])

    def _close_range(self, row: Rows) -> None:
        files, time_ns = int(row["files"]), int(row["time_ns"])
        self._advance(files, time_ns)
        table = self._tables.get(files)
        if table:
            descriptors = table.rows["descriptor"]
            closed = (descriptors >= row["first"]) & (descriptors <= row["last"])
            self._state.finish(close_all(table.rows[closed], time_ns, End.CLOSED))
            table.touch(descriptors[closed], time_ns)
            table.rows = table.rows[~closed]

    def _copy(self, row: Rows, pid: int, end: End) -> None:
        """A table is copied; the census that follows says exactly what came with it."""
        files, source, time_ns = int(row["files"]), int(row["from_files"]), int(row["time_ns"])
        self._advance(source, time_ns)
        self._advance(files, time_ns)
        self._tables.copy(source, files, pid, time_ns, end)

    def _fork(self, row: Rows) -> None:
        child, files = int(row["other"]), int(row["files"])
        if not self._state.child(child, int(row["time_ns"])) or self._is_known(child, files):
            return
        if row["from_files"] != files:
            self._copy(row, child, End.NEVER)
        else:
            self._tables.used_by(files, child)
        self._tables.belongs(child, files)

    def _is_known(self, child: int, files: int) -> bool:
        """Whether a fork has been told already: where a pid stands for its table, /proc tells of it, too."""
        table = self._tables.get(files)
        return files == child and table is not None and child in table.users

    def _unshare(self, row: Rows) -> None:
        self._copy(row, int(row["pid"]), End.CLOSED)

    def _exec(self, row: Rows) -> None:
        pid, files, time_ns = int(row["pid"]), int(row["files"]), int(row["time_ns"])
        before = self._tables.of(pid)
        self._advance(before, time_ns)
        self._advance(files, time_ns)
        if before != files and self._tables.get(before):
            self._tables.copy(before, files, pid, time_ns, End.EXEC)
        table = self._tables.used_by(files, pid)
        table.since_ns, table.next_census = time_ns, End.EXEC
        self._tables.belongs(pid, files)
        self._leave(pid, time_ns, but=files)

    def _exit(self, row: Rows) -> None:
        pid, time_ns = int(row["pid"]), int(row["time_ns"])
        self._leave(pid, time_ns)
        self._state.exited(pid, time_ns)

    def _leave(self, pid: int, time_ns: int, but: int | None = None) -> None:
        for files in self._tables.addresses(pid):
            self._advance(files, time_ns)
        self._state.finish(*self._tables.leave(pid, time_ns, but=but))

    def _table_end(self, row: Rows) -> None:
        files, time_ns = int(row["files"]), int(row["time_ns"])
        self._advance(files, time_ns)
        self._state.finish(self._tables.end(files, time_ns))


_PROCESSES: dict[int, Callable[[BatchFold, Rows], None]] = {
    ProcessHow.FORK: BatchFold._fork,
    ProcessHow.EXEC: BatchFold._exec,
    ProcessHow.EXIT: BatchFold._exit,
    ProcessHow.UNSHARE: BatchFold._unshare,
    ProcessHow.TABLE_END: BatchFold._table_end,
}
