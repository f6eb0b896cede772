"""A recording that is written beside the run: a disk that is slow, full or gone does not hold up the run.

What waits for the disk is bounded. When it becomes much, the dearest evidence is left out first, and counted:
paths of births, then births and deaths, then all but numbers and names; at last the batch itself.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import IO, Any

from memprobe.errors import OutputNotWritable
from memprobe.recording.heaps import Piece
from memprobe.recording.states import LIMIT_BYTES as STATE_LIMIT_BYTES
from memprobe.recording.states import State
from memprobe.recording.writer import RecordingWriter
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import CostSample
from memprobe.vocab.rows import BIRTH, DEATH, no_rows

LIMIT_BYTES = 64 << 20
"""What may wait for the disk: some minutes of a busy service."""

PATIENCE_S = 30.0
"""At the end of a run the disk gets so long to take what waits."""

_ENTRY_BYTES = 200
"""What an object in a batch that is no array counts for: a stack, a subject, a sentence."""

_KEPT = ("source", "begin_ns", "end_ns", "stacks", "samples", "subjects", "losses", "invisible")
"""Of a batch for which there is no room: without names and numbers nothing that follows makes sense."""

Work = Callable[[], None]


class RecordingQueue:
    """Hands everything on to a writer in a thread of its own; its failure is told, not raised."""

    def __init__(self, writer: RecordingWriter, limit_bytes: int = LIMIT_BYTES) -> None:
        self.failure: OutputNotWritable | None = None
        """Why nothing is written any more; what was committed stays."""

        self._writer, self._limit_bytes = writer, limit_bytes
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, Work]] = deque()
        self._waiting_bytes = 0
        self._notes: dict[str, Any] = {}
        """What was noted since the writer last asked."""

        self._is_open, self._is_idle = True, True
        self._is_whole = True
        """Whether all batches are in the file: else a state would not tell what was lost."""

        self._lost: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._work, name="memprobe-recording", daemon=True)
        self._thread.start()

    def write(self, batch: Batch) -> None:
        """Add a batch, or what there is room for of it."""
        fitting = self._fitting(batch)
        if fitting is not None:
            self._put(size_bytes(fitting), lambda: self._writer.write(fitting))

    def note(self, name: str, value: Any) -> None:
        """Write down a fact; the latest counts."""
        with self._changed:
            are_waiting = bool(self._notes)
            self._notes[name] = value
        if not are_waiting:
            self._put(0, self._write_notes)

    def write_cost(self, sample: CostSample) -> None:
        """Add what everything has cost so far, if there is room; the next one says it too."""
        if self._waiting_bytes < self._limit_bytes:
            self._put(_ENTRY_BYTES, lambda: self._writer.write_cost(sample))

    def write_state(self, state: State) -> None:
        """Add what the run has come to with the batches that were handed on, if those are whole."""
        if self._is_whole and len(state.data) <= min(STATE_LIMIT_BYTES, self._limit_bytes):
            self._put(len(state.data), lambda: self._writer.write_state(state))

    def write_heap(self, pieces: Sequence[Piece], content: IO[bytes]) -> None:
        """Put a heap into the file; it waits in a file of its own, which is closed when it is done."""

        def write() -> None:
            with content:
                self._writer.write_heap(pieces, content)

        self._put(0, write)

    def begin_again(self, opening: Batch, keep_ns: int | None) -> None:
        """Write how things stand, and forget what is older than needed; without room, the next time."""
        if self._waiting_bytes < self._limit_bytes:
            self._put(size_bytes(opening), lambda: self._writer.begin_again(opening, keep_ns))

    def flush(self, patience_s: float = PATIENCE_S) -> None:
        """Have everything committed that has come so far; return when it is."""
        self._put(0, self._writer.flush)
        self._await_idle(patience_s)

    def close(self) -> None:
        """Commit and close the file. May be called twice."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        self._thread.join(PATIENCE_S)
        if self._thread.is_alive():
            self._fail(
                OutputNotWritable(f"{self._writer.path}: the disk takes nothing for {PATIENCE_S:.0f} s")
            )

    def _write_notes(self) -> None:
        with self._changed:
            notes, self._notes = self._notes, {}
        for name, value in notes.items():
            self._writer.note(name, value)

    def _fitting(self, batch: Batch) -> Batch | None:
        """Return of a batch what there is room for; nothing if there is none at all."""
        filled = (self._waiting_bytes + size_bytes(batch)) / self._limit_bytes
        self._is_whole = self._is_whole and filled <= 0.25
        if filled > 2:
            self._lost.update(batch.losses)
            self._lost["recording_batches_dropped"] += 1
            return None
        if filled > 0.25 and batch.paths:
            self._lost["recording_paths_dropped"] += int((batch.births["path_bytes"] > 0).sum())
            births = batch.births.copy()
            births["path_bytes"] = 0
            batch = replace(batch, births=births, paths=b"")
        if filled > 0.5 and len(batch.births) + len(batch.deaths):
            self._lost["recording_events_dropped"] += len(batch.births) + len(batch.deaths)
            # 0: not observed. Pictures then tell what is open.
            batch = replace(batch, births=no_rows(BIRTH), deaths=no_rows(DEATH), drained_ns=0)
        if filled > 1:
            self._lost["recording_batches_dropped"] += 1
            batch = Batch(**{name: getattr(batch, name) for name in _KEPT})
        if self._lost:
            self._lost.update(batch.losses)
            batch = replace(batch, losses=dict(self._lost))
            self._lost.clear()
        return batch

    def _put(self, size: int, work: Work) -> None:
        with self._changed:
            if self.failure is None and self._is_open:
                self._waiting.append((size, work))
                self._waiting_bytes += size
                self._is_idle = False
                self._changed.notify_all()

    def _await_idle(self, patience_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_idle or self.failure is not None, patience_s)

    def _work(self) -> None:
        """The thread: whatever comes, in order, until it is closed and nothing waits."""
        while (work := self._next()) is not None:
            self._do(work)
        self._do(self._writer.close)

    def _do(self, work: Work) -> None:
        try:
            work()
        except OutputNotWritable as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 (a thread that dies unheard would lose all that follows)
            self._fail(OutputNotWritable(f"{self._writer.path}: the recording cannot go on ({error!r})"))

    def _next(self) -> Work | None:
        with self._changed:
            if not self._waiting:
                self._is_idle = True
                self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or not self._is_open)
            if not self._waiting:
                return None
            size, work = self._waiting.popleft()
            self._waiting_bytes -= size
            return work

    def _fail(self, error: OutputNotWritable) -> None:
        with self._changed:
            self.failure = self.failure or error
            self._waiting.clear()
            self._waiting_bytes = 0
            self._changed.notify_all()


def size_bytes(batch: Batch) -> int:
    """Return about how much memory a batch takes."""
    size = len(batch.paths)
    for field in fields(batch):
        value = getattr(batch, field.name)
        if hasattr(value, "nbytes"):
            size += value.nbytes
        elif hasattr(value, "__len__") and not isinstance(value, str | bytes):
            size += _ENTRY_BYTES * len(value)
    return size + sum(one.rows.nbytes + _ENTRY_BYTES * len(one.texts) for one in batch.handles)
