"""A ring keeps the last minutes: bounded, and right from where it begins."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

from memprobe.config import DEFAULTS
from memprobe.ledger import Ledger
from memprobe.ledger.opening import opening
from memprobe.recording import RecordingReader, RecordingWriter
from memprobe.session import Window, replayed
from memprobe.session.keeping import NOTED, Keeper
from memprobe.views.report import document
from recording.writing import FACTS, NS, batch

KEEP_S, EVERY_S = 40, 10


def write(path: Path, seconds: int, closed: int = 9) -> Ledger:
    """A ring of so many seconds; returns what the run itself came to."""
    ledger = Ledger(tree=False)
    with RecordingWriter(path, FACTS) as writer:
        for second in range(1, seconds):
            ledger.fold(batch(second, closed))
            writer.write(batch(second, closed))
            if second % EVERY_S == 0:
                writer.begin_again(opening(ledger), KEEP_S * NS)
    return ledger


def test_it_stays_bounded(tmp_path: Path) -> None:
    sizes = []
    for name, seconds in (("short", 200), ("long", 800)):
        write(tmp_path / name, seconds, closed=10)
        sizes.append((tmp_path / name).stat().st_size)
    assert sizes[1] < 1.2 * sizes[0]
    with RecordingReader(tmp_path / "long") as reader:
        found = list(iter(reader.poll, None))
    assert found[0].source == "opening"
    assert KEEP_S <= (found[-1].end_ns - found[0].end_ns) / NS <= KEEP_S + 2 * EVERY_S


def test_what_is_open_is_what_the_run_had(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    whole = write(path, 300)
    part, run = replayed(path)
    told, again = whole.handles.open(7), part.handles.open(7)
    assert len(told.rows) == len(again.rows) > 290
    assert np.array_equal(told.rows["birth_ns"], again.rows["birth_ns"])
    assert [told.text(row) for row in range(20)] == [again.text(row) for row in range(20)]
    lines = {site.site[0].line: site.open for site in part.handle_sites()}
    assert lines == {site.site[0].line: site.open for site in whole.handle_sites()}
    assert any("ring" in sentence for sentence in run.invisible)
    assert run.created_at > "2026-01-01T00:03"


def test_what_is_read_is_not_what_is_forgotten_meanwhile(tmp_path: Path) -> None:
    path, ledger = tmp_path / "run.mprobe", Ledger(tree=False)
    with RecordingWriter(path, FACTS) as writer:
        for second in range(1, 41):
            ledger.fold(batch(second))
            writer.write(batch(second))
            if second % EVERY_S == 0:
                writer.begin_again(opening(ledger), None)
        with RecordingReader(path) as reader:
            begun = [reader.poll() for _ in range(15)]
            writer.begin_again(opening(ledger), EVERY_S * NS)
            left = list(iter(reader.poll, None))
    assert [one.end_ns // NS for one in (*begun, *left) if one is not None] == list(range(2, 42))
    assert all(len(one.births) == 10 for one in left)


def test_a_file_that_was_never_cut_off_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    whole = write(path, 35)  # three openings, and none of them is 40 s old
    ledger, run = replayed(path)
    assert ledger.handle_sites() == whole.handle_sites()
    assert ledger.events == whole.events
    assert run.created_at == FACTS["created_at"]


def test_a_window_is_what_happened_in_it(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    with RecordingWriter(path, FACTS) as writer:
        for second in range(1, 101):
            writer.write(batch(second))
    ledger, run = replayed(path, window=Window(20, 60))
    assert ledger.duration_s == 40
    assert ledger.events == 40 * 19
    assert len(ledger.handles.open(7).rows) == 60  # one a second stays open, from the first on
    assert run.created_at == "2026-01-01T00:00:20Z"
    late, _ = replayed(path, window=Window(-10))
    assert (late.duration_s, late.events) == (10, 190)


def test_a_window_begins_with_the_opening_before_it(tmp_path: Path) -> None:
    """In a file that keeps all: what is folded is what came after it, and the report is the same."""
    path, bare = tmp_path / "run.mprobe", tmp_path / "bare.mprobe"
    for file, every_s in ((path, EVERY_S), (bare, 1000)):
        ledger = Ledger(tree=False)
        with RecordingWriter(file, FACTS) as writer:
            for second in range(1, 101):
                ledger.fold(batch(second))
                writer.write(batch(second))
                if second % every_s == 0:
                    writer.begin_again(opening(ledger), None)
    for window in (Window(20, 60), Window(25, 61), Window(2, 5), Window(-10), Window(None, 30), Window(99.5)):
        assert document(*replayed(path, window=window)) == document(*replayed(bare, window=window))
    with RecordingReader(path) as reader:
        assert not reader.is_pruned
        assert reader.skip_to_opening(61 * NS)
        begin, following = reader.poll(), reader.poll()
        assert begin is not None
        assert following is not None
        assert (begin.source, begin.end_ns, following.source) == ("opening", 61 * NS, "made")
        assert not reader.skip_to_opening(3 * NS)
    with RecordingReader(path) as reader:
        assert sum(1 for _ in iter(reader.poll, None)) == 100


def test_a_run_that_keeps_all_writes_openings(tmp_path: Path) -> None:
    path, ledger = tmp_path / "run.mprobe", Ledger(tree=False)
    keeper = Keeper(path, FACTS, DEFAULTS.record)
    noted = FACTS | dict.fromkeys(NOTED)
    for minute in range(1, 41):
        ledger.fold(batch(60 * minute))
        keeper.queue.write(batch(60 * minute))
        keeper.note(noted, ledger)
    keeper.close()
    with closing(sqlite3.connect(path)) as database:
        times = database.execute(
            "SELECT end_ns FROM openings JOIN batches ON batches.id = openings.batch ORDER BY batch"
        ).fetchall()
    assert [round(end_ns / NS / 60) for (end_ns,) in times] == [6, 11, 16, 21, 26, 31, 36]
