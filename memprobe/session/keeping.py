"""What of a run is kept in a file: all of it or its last minutes, and how the file is closed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from memprobe.config import Recorded
from memprobe.errors import OutputNotWritable
from memprobe.ledger import Ledger
from memprobe.ledger.opening import opening
from memprobe.recording import RecordingQueue, RecordingWriter
from memprobe.session.heap_taking import HeapTaking
from memprobe.session.states import Pacer, Standing
from memprobe.vocab import TargetId
from memprobe.vocab.costs import CostSample

NOTED = ("ended", "ending", "danger", "overhead", "invisible", "shed", "packages", "keys")
"""Facts that change while a run goes on."""

PARTS, SHORTEST_NS = 8, 5_000_000_000
"""A ring is cut off in parts of this many: it is longer than asked for by at most one of them."""

NS_PER_MINUTE = 60_000_000_000

OPENINGS_NS = 5 * NS_PER_MINUTE
"""Where all is kept, a reader can begin anew so often: a window need not be folded up to."""

COST_NS = 5_000_000_000
"""Between two samples of what memprobe costs: each takes some 80 bytes, and there are five a second."""


class Keeper:
    """Writes the recording of a run."""

    def __init__(self, path: Path, facts: Mapping[str, Any], keeping: Recorded) -> None:
        self._path, self._ring_minutes = path, keeping.ring_minutes
        self._seals = keeping.on_exit or keeping.on_oom
        self._has_states = keeping.ring_minutes is None and not keeping.redact
        """Whether what the run has come to is kept, too: it has paths, and what a ring has forgotten."""

        self.queue = RecordingQueue(RecordingWriter(path, facts, redact=keeping.redact))
        self.heap = HeapTaking(self.queue, path.parent) if keeping.heap else None
        """Who takes the whole heap, if it is to be kept."""

        self._has_ended = False
        self._unsealed: OutputNotWritable | None = None
        self._begun_ns = self._cost_due_ns = 0
        self._pacer = Pacer()

    @property
    def failure(self) -> OutputNotWritable | None:
        """Why the file is not what was asked for, if so."""
        return self.queue.failure or self._unsealed

    def note(self, facts: Mapping[str, Any], ledger: Ledger) -> None:
        """Write down what is known now; a ring is cut off when it is time."""
        self._has_ended = facts["ended"] is not None
        for name in NOTED:
            self.queue.note(name, facts[name])
        self._open_again(ledger)

    def keep(self, standing: Standing, *, is_last: bool = False) -> None:
        """Write down what the run has come to, now and then and at its end."""
        if self._has_states and (is_last or self._pacer.is_due):
            self.queue.write_state(self._pacer.packed(standing))

    def keep_heap(self, target: TargetId | None) -> None:
        """Take the heap of a process, if one is given; and see whether one that is being taken is there."""
        if self.heap is not None:
            if target is not None:
                self.heap.begin(target)
            self.heap.poll()

    def keep_last_heap(self, target: TargetId | None) -> Iterator[str]:
        """Take the heap as it is at the end, unless the process is gone; yield why there is none."""
        if self.heap is not None:
            if target is not None:
                self.heap.begin(target)
            self.heap.finish()
            yield from filter(None, (self.heap.remark,))

    def note_target(self, facts: Mapping[str, Any]) -> None:
        """Write down that the report is about another process from now on."""
        for name in ("pid", "target"):
            self.queue.note(name, facts[name])

    def write_cost(self, sample: CostSample) -> None:
        """Write down what everything has cost so far, now and then."""
        if sample.time_ns >= self._cost_due_ns:
            self._cost_due_ns = sample.time_ns + COST_NS
            self.queue.write_cost(sample)

    def close(self) -> None:
        """Close the file, and seal it if that was asked for and the process has ended."""
        if self.heap is not None:
            self.heap.close()
        self.queue.close()
        if self._seals and self._has_ended:
            self._seal()

    def _seal(self) -> None:
        try:
            os.chmod(self._path, 0o400)
        except OSError as error:
            self._unsealed = OutputNotWritable(f"{self._path}: it could not be sealed: {error.strerror}")

    def _open_again(self, ledger: Ledger) -> None:
        """Let a reader begin here now and then; a ring is cut off behind what is old enough."""
        keep_ns = None if self._ring_minutes is None else int(self._ring_minutes * NS_PER_MINUTE)
        apart_ns = OPENINGS_NS if keep_ns is None else max(SHORTEST_NS, keep_ns // PARTS)
        self._begun_ns = self._begun_ns or ledger.now_ns
        if ledger.now_ns - self._begun_ns >= apart_ns:
            self._begun_ns = ledger.now_ns
            self.queue.begin_again(opening(ledger), keep_ns)
