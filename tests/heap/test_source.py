"""The heap as a source: its batches, its pace, and its end."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import pythons
from memprobe.errors import LayoutCheckFailed
from memprobe.heap.document import TypePart
from memprobe.heap.source import HeapOptions, HeapSource, Length, heap_source
from memprobe.recording import RecordingReader, RecordingWriter
from memprobe.target.inspection.opening import opened
from memprobe.target.proc.process import Process, open_process
from memprobe.vocab.batch import Batch
from memprobe.vocab.knobs import NOTHING, Knob, Sheddable
from memprobe.vocab.rows import NOT_MEASURED
from memprobe.vocab.source import Source
from recording.made_batches import same

TYPES = (TypePart("app.Session", 3, 3, 300, 400), TypePart("str", 9, 0, 90, 100))


@pytest.fixture
def sleeper() -> Iterator[Process]:
    with subprocess.Popen(["sleep", "1000"]) as child, open_process(child.pid) as process:
        yield process
        child.kill()


def polled(source: HeapSource, censuses: int = 1) -> Batch:
    """The first batch with so many rows."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        batch = source.poll()
        assert batch is not None
        if len(batch.censuses) >= censuses:
            return batch
        time.sleep(0.005)
    raise AssertionError("no census came")


def test_a_census_becomes_rows_and_names_come_once(sleeper: Process, tmp_path: Path) -> None:
    source = HeapSource(
        sleeper, lambda: TYPES, lambda: [Length("app.SESSIONS", 0x7F00, 3)], HeapOptions(interval_s=0.01)
    )
    assert isinstance(source, Source)
    assert isinstance(source, Sheddable)
    source.start()
    first, second = polled(source), polled(source)
    source.close()
    names = dict(first.names)
    assert [names[number] for number in first.censuses["name_id"]] == ["app.Session", "str"]
    assert first.censuses["objects"].tolist() == [3, 9]
    assert first.censuses["allocated_bytes"].tolist() == [400, 100]
    assert set(first.censuses["pid"]) == {sleeper.pid}
    assert second.names == {}
    assert second.containers["length"].tolist() == [3]
    assert first.end_ns <= second.begin_ns
    path = tmp_path / "run.mprobe"
    with RecordingWriter(path, {}) as writer:
        writer.write(first)
        writer.write(second)
    with RecordingReader(path) as reader:
        assert same(reader.poll(), first)
        assert same(reader.poll(), second)


def test_a_container_that_dies_has_no_length(sleeper: Process) -> None:
    source = HeapSource(sleeper, lambda: TYPES, lambda: [Length("app.SESSIONS", 1, None)])
    source.start()
    batch = source.poll()
    source.close()
    assert batch is not None
    assert batch.containers["length"].tolist() == [NOT_MEASURED]


def test_a_census_that_fails_is_said_until_one_succeeds(sleeper: Process) -> None:
    outcomes = iter([True, False])

    def census() -> tuple[TypePart, ...]:
        if next(outcomes, False):
            raise LayoutCheckFailed("the check failed")
        return TYPES

    source = HeapSource(sleeper, census, options=HeapOptions(interval_s=0.3))
    source.start()
    seen: list[tuple[str, ...]] = []
    deadline = time.monotonic() + 10
    while not seen or seen[-1] or time.monotonic() < deadline:
        batch = source.poll()
        assert batch is not None
        seen.append(batch.invisible)
        if len(batch.censuses):
            break
        time.sleep(0.01)
    source.close()
    assert ("A census of the heap: the check failed.",) in seen
    assert seen[-1] == ()


def test_the_pace_keeps_a_share_of_the_cpu_and_can_be_turned_down(sleeper: Process) -> None:
    begun: list[float] = []

    def dear() -> tuple[TypePart, ...]:
        begun.append(time.monotonic())
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass
        return TYPES

    source = HeapSource(sleeper, dear, options=HeapOptions(interval_s=0.0, share=0.1))
    source.start()
    time.sleep(1.0)
    source.close()
    assert 2 <= len(begun) <= 6
    count = len(begun)
    source = HeapSource(sleeper, dear, options=HeapOptions(interval_s=0.01, share=1.0))
    source.turn(Knob.SNAPSHOTS, NOTHING)
    source.start()
    time.sleep(0.2)
    source.close()
    assert len(begun) == count


def test_a_census_under_way_is_not_waited_for(sleeper: Process) -> None:
    held = threading.Event()

    def hangs() -> tuple[TypePart, ...]:
        held.wait(30)
        return TYPES

    source = HeapSource(sleeper, hangs)
    source.start()
    begin = time.monotonic()
    assert source.poll() is not None
    source.close()
    source.close()
    assert time.monotonic() - begin < 1
    held.set()


def test_a_real_heap(interpreter: pythons.Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "hoarding.py", "3000") as target, opened(target.pid) as held:
        assert held.python is not None
        source = heap_source(held.process, held.python, HeapOptions(interval_s=0.05))
        source.start()
        first = polled(source)
        target.ask("grow 500")
        polled(source)  # this one may have begun before
        last = polled(source)
        target.kill()
        deadline = time.monotonic() + 10
        while source.poll() is not None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        source.close()
    (session,) = (number for number, name in first.names.items() if name == "__main__.Session")
    counts = [
        int(batch.censuses["objects"][batch.censuses["name_id"] == session][-1]) for batch in (first, last)
    ]
    assert counts == [3000, 3500]


def test_an_empty_recording_has_no_census() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.mprobe"
        with RecordingWriter(path, {}) as writer:
            writer.write(Batch("made", 0, 1))
        with RecordingReader(path) as reader:
            batch = reader.poll()
    assert batch is not None
    assert (len(batch.censuses), len(batch.containers), dict(batch.names)) == (0, 0, {})
