"""`record --heap` and `heap F`: of a process that stands still the file says what the process says."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pythons
from cli.running import complaint, document, run
from config.running import run_on, tick
from memprobe.config import DEFAULTS
from memprobe.errors import TargetExited, UnreadableRecording
from memprobe.heap.document import Heap
from memprobe.heap.kept import BROKEN, KeptGraph, asked
from memprobe.heap.look import look
from memprobe.heap.wishes import Wishes
from memprobe.recording import RecordingQueue, RecordingReader, RecordingWriter
from memprobe.session import heap_taking
from memprobe.session.danger import Danger
from memprobe.session.heap_taking import HeapTaking
from memprobe.target.cpython.interpreters import Interpreters
from memprobe.target.proc.pressure import Pressure
from memprobe.vocab import TargetId
from memprobe.vocab.kept_heap import KeptHeap
from patience import PATIENCE_S
from recording.writing import FACTS

SESSIONS = 3_000
QUESTIONS = (
    Wishes(),
    Wishes(garbage=True, rows=3),
    Wishes(type="Session"),
    Wishes(type="dict"),
    Wishes(type="no such type"),
    Wishes(holders="SESS*S"),
    Wishes(holders=""),
)
ASKED = (
    "types",
    "holders",
    "referrers",
    "garbage",
    "unexplained",
    "listeners",
    "containers",
    "asked",
)
KEEPS = DEFAULTS.having({"record.heap": True, "run.learn": False})


def record(pid: int, path: Path) -> None:
    with run_on(pid, KEEPS, path) as live:
        tick(live, 1)


@pytest.mark.few_interpreters
def test_it_answers_as_the_process_does(
    interpreter: pythons.Interpreter, targets: Path, tmp_path: Path
) -> None:
    path = tmp_path / "run.mprobe"
    with interpreter.spawn(targets / "hoarding.py", str(SESSIONS)) as target:
        target.ask("leave 50")
        record(target.pid, path)
        live = [look(target.pid, question, lambda _: None) for question in QUESTIONS]
    for question, told in zip(QUESTIONS, live, strict=True):
        kept = asked(heap_in(path), question, "run.mprobe")
        for name in ASKED:
            assert getattr(kept, name) == getattr(told, name), (question, name)
        assert (kept.totals.objects, kept.target.cmdline) == (told.totals.objects, told.target.cmdline)
        assert kept.evidence.invisible == told.evidence.invisible


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, targets: Path) -> Path:
    """A recording with a heap in it."""
    path = tmp_path_factory.mktemp("kept") / "run.mprobe"
    with pythons.own().spawn(targets / "hoarding.py", str(SESSIONS)) as target:
        record(target.pid, path)
    return path


def heap_in(path: Path) -> KeptHeap:
    with RecordingReader(path) as reader:
        found = reader.heap()
    assert found is not None
    return found


def test_the_page_says_when_that_was(kept: Path) -> None:
    done = run("heap", kept, "--type", "Session")
    assert (done.returncode, done.stderr) == (0, "")
    assert f" at {heap_in(kept).texts['created_at']}: " in done.stdout.splitlines()[0]
    assert "__main__.SESSIONS (3,000)" in done.stdout
    assert document("heap", kept)["recording"] == str(kept)


def test_no_contents_of_the_process_are_in_it(kept: Path) -> None:
    told = json.dumps(dict(heap_in(kept).texts))
    assert "x" * 20 not in told
    assert "SESSIONS" in told


@pytest.mark.parametrize("option", [("--sample", "0.1"), ("--diff", "1"), ("--freeze",)])
def test_what_only_a_process_can_be_asked(kept: Path, option: tuple[str, ...]) -> None:
    assert "are for a process" in complaint(run("heap", kept, *option), 2)


def test_files_without_one(tmp_path: Path, kept: Path) -> None:
    assert "is neither a pid nor a file" in complaint(run("heap", tmp_path / "none"), 2)
    (tmp_path / "else").write_text("something else")
    assert "is not a recording" in complaint(run("heap", tmp_path / "else"), 7)
    bare = Path(shutil.copyfile(kept, tmp_path / "bare.mprobe"))
    with closing(sqlite3.connect(bare)) as database, database:
        database.execute("DELETE FROM heap")
    assert "no heap is kept in it; record with --heap" in complaint(run("heap", bare), 7)


def test_it_is_about_a_recording(tmp_path: Path) -> None:
    for option in ("--heap", "--with-keys"):
        assert f"{option} is about a recording" in complaint(run("attach", "1", option), 2)


PARTS = ("holders", "types", "listeners", "garbage", "paths", "graph.targets", "graph.types", "graph.degrees")


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_damaged_costs_what_it_tells(tmp_path: Path, kept: Path, part: str) -> None:
    path = Path(shutil.copyfile(kept, tmp_path / "run.mprobe"))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE heap SET data = zeroblob(length(data)) WHERE name = ?", (part,))
    found, whole = asked(heap_in(path), Wishes(), "f"), asked(heap_in(kept), Wishes(), "f")
    assert f"Of the heap in the recording is damaged: {part}." in found.evidence.invisible
    assert found.types == (None if part == "types" else whole.types)
    assert found.holders == whole.holders  # the graph tells them, too
    narrowed = asked(heap_in(path), Wishes(type="Session"), "f")
    if part == "paths" or part.startswith("graph."):
        assert narrowed.holders is None
        assert "Who holds what cannot be told" in narrowed.evidence.invisible[-1]
    else:
        assert narrowed.holders is not None
        assert narrowed.holders[0].path == "__main__.SESSIONS"


def test_without_what_it_is_of_it_is_unreadable(tmp_path: Path, kept: Path) -> None:
    path = Path(shutil.copyfile(kept, tmp_path / "run.mprobe"))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE heap SET data = x'' WHERE name = 'totals'")
    with pytest.raises(UnreadableRecording, match="totals"):
        asked(heap_in(path), Wishes(), "f")


@pytest.mark.parametrize("seed", range(20))
def test_made_up_graphs_end_with_a_word(kept: Path, seed: int) -> None:
    """Numbers that lead anywhere, parts of any length: an answer, or an error that says what is wrong."""
    chance, heap = np.random.default_rng(seed), heap_in(kept)
    name = str(chance.choice(sorted(heap.arrays)))
    array = heap.arrays[name].copy()
    places = chance.integers(0, len(array), 1 + seed)
    array[places] = chance.integers(0, 1 << 62, len(places)).astype(array.dtype)
    arrays = dict(heap.arrays) | {name: array[: len(array) - seed % 3]}
    with suppress(*BROKEN):
        graph = KeptGraph(KeptHeap(heap.texts, arrays))
        paths = [graph.path(node) for node in range(0, len(graph.graph), 997)]
        assert all(paths)
        assert graph.of(graph.nodes_of(["dict"]), 10)
    told = asked(KeptHeap(heap.texts, arrays), Wishes(type="dict"), "f")
    assert told.types == asked(heap, Wishes(type="dict"), "f").types
    assert told.holders is not None or "Who holds what cannot be told" in told.evidence.invisible[-1]


def test_where_no_path_was_kept_the_types_of_the_steps_are_told(kept: Path) -> None:
    heap = heap_in(kept)
    words = dict(heap.texts) | {"paths": heap.texts["paths"][:1], "lengths": heap.texts["lengths"][:1]}
    arrays = dict(heap.arrays) | {"graph.named": heap.arrays["graph.named"][:1]}
    graph, whole = KeptGraph(KeptHeap(words, arrays)), KeptGraph(heap)
    (holder,) = whole.of(whole.nodes_of(["__main__.Session"]), 1)
    assert holder.path == "__main__.SESSIONS"
    (told,) = graph.of(graph.nodes_of(["__main__.Session"]), 1)
    assert (told.objects, told.retained_bytes) == (holder.objects, holder.retained_bytes)
    assert told.path == "__main__.<dict>"


@pytest.fixture
def hoard(targets: Path) -> Iterator[pythons.Target]:
    with pythons.own().spawn(targets / "hoarding.py", str(SESSIONS)) as target:
        yield target


def report_of(target: pythons.Target, path: Path, go_on: Any, **settings: Any) -> tuple[str, ...]:
    """Record until somebody says no; return what could not be seen."""
    config = KEEPS.having({f"record.{name}": value for name, value in settings.items()})
    with run_on(target.pid, config, path) as live:
        live.run(lambda: go_on(live))
        return tuple(live.report().invisible)


def test_of_a_process_that_has_ended_there_is_none_and_that_is_said(
    hoard: pythons.Target, tmp_path: Path
) -> None:
    def end(_: Any) -> bool:
        hoard.kill()
        return True

    told = report_of(hoard, tmp_path / "run.mprobe", end)
    assert any(sentence.startswith("The heap that was to be kept (--heap): ") for sentence in told)
    with RecordingReader(tmp_path / "run.mprobe") as reader:
        assert reader.heap() is None
        assert any("(--heap)" in sentence for sentence in reader.facts["invisible"])


def test_in_danger_it_is_taken_before_the_end(
    hoard: pythons.Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once there is an alarm and the heap is in the file, the process is killed: it is there all the same."""
    alarms, end_s = iter((False, True)), time.monotonic() + PATIENCE_S
    monkeypatch.setattr("memprobe.session.fate.memory_pressure", lambda _: Pressure("g", 1, 1))
    monkeypatch.setattr(Danger, "add", lambda *_: next(alarms, False))

    def end(live: Any) -> bool:
        if live._keeper.heap._is_taken:
            hoard.kill()
        return time.monotonic() < end_s

    told = report_of(hoard, tmp_path / "run.mprobe", end, on_oom=True)
    assert time.monotonic() < end_s
    assert not any("--heap" in sentence for sentence in told)
    found = asked(heap_in(tmp_path / "run.mprobe"), Wishes(type="Session"), "f")
    assert isinstance(found, Heap)
    assert found.holders is not None
    assert (found.holders[0].path, found.holders[0].objects) == ("__main__.SESSIONS", SESSIONS)


def test_nothing_is_left_beside_the_recording(kept: Path) -> None:
    assert [one.name for one in kept.parent.iterdir()] == [kept.name]


def test_a_process_that_is_killed_while_it_is_asked_has_its_report(
    hoard: pythons.Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Near its end it is asked at every tick whether its Python is ending, and is killed at any moment."""

    def killed(_: Interpreters) -> bool:
        hoard.kill()
        raise TargetExited(f"process {hoard.pid} ended while it was being read")

    monkeypatch.setattr(Interpreters, "are_ending", killed)
    with run_on(hoard.pid, KEEPS, tmp_path / "run.mprobe") as live:
        live.run(lambda: True)
        assert live.ended is not None
        assert any("(--heap)" in sentence for sentence in live.report().invisible)


@pytest.fixture
def taking(tmp_path: Path) -> Iterator[HeapTaking]:
    queue = RecordingQueue(RecordingWriter(tmp_path / "run.mprobe", FACTS))
    taking = HeapTaking(queue, tmp_path)
    yield taking
    taking.close()
    queue.close()


def test_a_heap_that_takes_too_long_is_given_up(taking: HeapTaking, monkeypatch: pytest.MonkeyPatch) -> None:
    def work_on(_: TargetId) -> KeptHeap:
        while True:
            pass

    monkeypatch.setattr(heap_taking, "take", work_on)
    monkeypatch.setattr(heap_taking, "PATIENCE_S", 0.1)
    taking.begin(TargetId(1, 1))
    taking.finish()
    assert "it was not there" in taking.remark


def test_where_no_process_can_be_started_that_is_said(
    taking: HeapTaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> int:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr("os.fork", full)
    taking.begin(TargetId(1, 1))
    taking.finish()
    assert "no process could be started that takes it: Cannot allocate memory" in taking.remark
