"""The queue before the disk: in order, bounded, and honest about what it left out."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memprobe.errors import OutputNotWritable
from memprobe.recording import RecordingQueue, RecordingReader, RecordingWriter
from memprobe.recording.queue import size_bytes
from memprobe.vocab.batch import Batch
from patience import PATIENCE_S
from recording.writing import FACTS, NS, batch


class SlowWriter(RecordingWriter):
    """The disk takes nothing until it is told to."""

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        self.may_go_on = threading.Event()

    def write(self, batch: Batch) -> None:
        """Wait, then write."""
        assert self.may_go_on.wait(PATIENCE_S)
        super().write(batch)


def read(path: Path) -> list[Batch]:
    with RecordingReader(path) as reader:
        return list(iter(reader.poll, None))


def test_what_comes_is_written_in_order(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    queue = RecordingQueue(RecordingWriter(path, FACTS))
    for second in range(1, 30):
        queue.write(batch(second))
        queue.note("ended", second)
    queue.close()
    queue.close()
    assert queue.failure is None
    found = read(path)
    assert [len(one.births) for one in found] == [10] * 29
    assert not any(one.losses for one in found)
    with RecordingReader(path) as reader:
        assert reader.facts["ended"] == 29


def test_the_dearest_goes_first_and_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    writer = SlowWriter(path, FACTS)
    queue = RecordingQueue(writer, limit_bytes=20 * size_bytes(batch(1)))
    for second in range(1, 200):
        queue.write(batch(second))
    assert queue._waiting_bytes < 3 * 20 * size_bytes(batch(1))
    writer.may_go_on.set()
    queue.flush()
    queue.write(batch(200))
    queue.close()
    found = read(path)
    lost = {name: sum(one.losses.get(name, 0) for one in found) for one in found for name in one.losses}
    events = sum(len(one.births) + len(one.deaths) for one in found)
    paths = sum(int((one.births["path_bytes"] > 0).sum()) for one in found)
    assert events + lost["recording_events_dropped"] == 19 * len(found)
    assert lost["recording_batches_dropped"] >= 200 - len(found) > 0
    assert 0 < paths < sum(len(one.births) for one in found)
    first = {name: next(i for i, one in enumerate(found) if name in one.losses) for name in lost}
    assert first["recording_paths_dropped"] < first["recording_events_dropped"]
    assert all(one.drained_ns == 0 for one in found if len(one.births) == 0 and one.drained_ns is not None)
    assert len(found[-1].births) == 10
    assert all(one.stacks for one in found[:40])  # names are never left out


def test_a_disk_that_fails_ends_the_recording_and_not_the_run(tmp_path: Path) -> None:
    class Failing(RecordingWriter):
        def write(self, batch: Batch) -> None:
            raise OutputNotWritable("no room")

    queue = RecordingQueue(Failing(tmp_path / "run.mprobe", FACTS))
    queue.write(batch(1))
    queue.flush()
    assert queue.failure is not None
    assert "no room" in queue.failure.fact
    queue.write(batch(2))
    queue.close()


def test_a_bug_in_the_writer_is_told_too(tmp_path: Path) -> None:
    class Buggy(RecordingWriter):
        def write(self, batch: Batch) -> None:
            raise TypeError("a bug")

    queue = RecordingQueue(Buggy(tmp_path / "run.mprobe", FACTS))
    queue.write(batch(1))
    queue.close()
    assert queue.failure is not None
    assert "a bug" in queue.failure.fact


def test_half_a_batch_is_never_committed(tmp_path: Path) -> None:
    class Cut(RecordingWriter):
        def _add_stacks(self, *values: Any) -> None:
            if self._next["batches"] == 10:
                raise sqlite3.OperationalError("disk I/O error")
            super()._add_stacks(*values)

    path = tmp_path / "run.mprobe"
    queue = RecordingQueue(Cut(path, FACTS))
    for second in range(1, 20):
        queue.write(batch(second))
    queue.close()
    assert queue.failure is not None
    found = read(path)
    assert 7 <= len(found) < 10
    assert all(len(one.samples) == 1 for one in found)


def test_nothing_that_waits_for_the_disk_is_without_a_bound(tmp_path: Path) -> None:
    writer = SlowWriter(tmp_path / "run.mprobe", FACTS)
    queue = RecordingQueue(writer, limit_bytes=20 * size_bytes(batch(1)))
    for second in range(1, 500):
        queue.write(batch(second))
        queue.note("ended", second)
        queue.begin_again(batch(second), 10 * NS)
    waiting, waiting_bytes = len(queue._waiting), queue._waiting_bytes
    writer.may_go_on.set()
    queue.close()
    assert waiting < 100
    assert waiting_bytes < 60 * size_bytes(batch(1))
    with RecordingReader(tmp_path / "run.mprobe") as reader:
        assert reader.facts["ended"] == 499


def test_what_a_batch_had_lost_is_not_lost_with_it(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    writer = SlowWriter(path, FACTS)
    queue = RecordingQueue(writer, limit_bytes=20 * size_bytes(batch(1)))
    for second in range(1, 200):
        queue.write(replace(batch(second), losses={"ring_full": 1}))
    writer.may_go_on.set()
    queue.flush()
    queue.write(batch(200))
    queue.close()
    assert sum(one.losses.get("ring_full", 0) for one in read(path)) == 199


@pytest.mark.parametrize("field", ["births", "stacks", "handles"])
def test_everything_counts(field: str) -> None:
    whole = batch(1)
    empty = Batch("made", 0, 1)
    assert size_bytes(replace(empty, **{field: getattr(whole, field)})) >= size_bytes(empty)
    assert size_bytes(whole) > 1000
