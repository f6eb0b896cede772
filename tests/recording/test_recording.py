"""Batches out and back: identical, whatever ended the writer; and files that are something else."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memprobe.errors import OutputNotWritable, UnreadableRecording
from memprobe.recording import RecordingReader, RecordingWriter
from memprobe.recording.format import VERSION
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch, Handles
from memprobe.vocab.source import Source
from memprobe.vocab.stack import Frame, Stack
from recording.made_batches import batches, same

FACTS = {"tier": 2, "seed": 7, "target": {"pid": 1}}

WRITER = """
import sys
from pathlib import Path
import numpy as np
from memprobe.recording import RecordingWriter
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch

writer = RecordingWriter(Path(sys.argv[1]), {"tier": 2})
for number in range(1_000_000):
    births = np.zeros(100, rows.BIRTH)
    births["descriptor"] = number
    writer.write(Batch("made", number * 10**8, (number + 1) * 10**8, births=births))
    print(number, flush=True)
"""


def read_all(path: Path) -> list[Batch]:
    with RecordingReader(path) as reader:
        return list(iter(reader.poll, None))


def write_all(path: Path, written: list[Batch], **options: Any) -> None:
    with RecordingWriter(path, FACTS, **options) as writer:
        for batch in written:
            writer.write(batch)


@settings(max_examples=40, deadline=None)
@given(st.lists(batches(), max_size=4))
def test_what_was_written_comes_back(written: list[Batch]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.mprobe"
        write_all(path, written)
        assert same(tuple(read_all(path)), tuple(written))


def test_the_reader_is_a_source_and_knows_the_facts(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    write_all(path, [])
    with RecordingReader(path) as reader:
        assert isinstance(reader, Source)
        assert reader.tier == 2
        assert reader.facts == FACTS
        assert reader.poll() is None
    reader.close()


def test_a_closed_recording_is_one_file_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    write_all(path, [Batch("made", 0, 1)])
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.mprobe"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_live_recording_can_be_read_and_its_files_are_private(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    with RecordingWriter(path, FACTS) as writer:
        for second in range(3):
            writer.write(Batch("made", second * 10**9, (second + 1) * 10**9, losses={"lost": 1}))
            writer.flush()
            assert [batch.begin_ns for batch in read_all(path)] == [10**9 * n for n in range(second + 1)]
        assert {entry.stat().st_mode & 0o777 for entry in tmp_path.iterdir()} == {0o600}


def test_who_reads_a_live_recording_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memprobe.recording.writer.READER_S", 0.01)
    path = tmp_path / "run.mprobe"
    with RecordingWriter(path, FACTS) as writer:
        writer.write(Batch("made", 0, 10**9))
        writer.flush()
        with RecordingReader(path) as reader:
            writer.write(Batch("made", 10**9, 2 * 10**9))
            writer.close()
            assert len(list(iter(reader.poll, None))) == 1
    assert [batch.begin_ns for batch in read_all(path)] == [0, 10**9]


@pytest.mark.parametrize("kills", range(3))
def test_a_killed_writer_leaves_what_it_had_committed(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "run.mprobe"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, env=_environment()
    )
    assert writer.stdout
    last = -1
    while last < 25 + 17 * kills:
        last = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    found = read_all(path)
    assert len(found) >= (last + 1) // 20 * 20  # twenty batches a transaction
    for number, batch in enumerate(found):
        assert (batch.births["descriptor"] == number).all()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def test_redaction_takes_out_what_handles_point_to(tmp_path: Path) -> None:
    births = np.zeros(1, rows.BIRTH)
    births["path_bytes"], births["stack_id"] = 6, 5
    picture = Handles(1, 0, 1, np.zeros(1, rows.OPEN_HANDLE), ("tcp 10.0.0.1:80 -> secret",))
    stack = Stack((Frame("main", "/srv/app.py", 3),), True)
    batch = Batch("made", 0, 1, births=births, paths=b"secret", handles=(picture,), stacks={5: stack})
    write_all(tmp_path / "hidden", [batch], redact=True)
    assert b"secret" not in (tmp_path / "hidden").read_bytes()
    (found,) = read_all(tmp_path / "hidden")
    assert not found.paths
    assert found.handles[0].texts == ("[redacted]",)
    assert found.stacks == batch.stacks


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    path.write_text("mine")
    with pytest.raises(OutputNotWritable, match="already"):
        RecordingWriter(path, FACTS)
    assert path.read_text() == "mine"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritable, match="No such file"):
        RecordingWriter(tmp_path / "nowhere" / "run.mprobe", FACTS)


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    write_all(path, [])
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    with pytest.raises(UnreadableRecording, match=f"format {VERSION + 1}.*up to {VERSION}"):
        RecordingReader(path).start()


@pytest.mark.parametrize("content", [b"", b"PK\3\4" * 100, b"SQLite format 3\0"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.mprobe"
    path.write_bytes(content)
    with pytest.raises(UnreadableRecording, match="not a recording"):
        RecordingReader(path).start()


def test_other_databases_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE batches (id INTEGER)")
    database.commit()
    database.close()
    with pytest.raises(UnreadableRecording, match="SQLite database, but not"):
        RecordingReader(path).start()


def test_a_folder_and_nothing_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(UnreadableRecording, match=str(path)):
            RecordingReader(path).start()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_damage_is_told_and_never_more(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.mprobe"
        births = np.zeros(50, rows.BIRTH)
        births["time_ns"] = np.arange(50) ** 3
        picture = Handles(1, 0, 1, np.zeros(1, rows.OPEN_HANDLE), ("text",))
        stack = Stack((Frame("main", "/srv/app.py", 3),), True)
        samples = rows.unmeasured(1)
        batch = Batch("made", 0, 1, births=births, handles=(picture,), stacks={5: stack}, samples=samples)
        write_all(path, [batch])
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 30))):
            content[data.draw(st.integers(100, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.sampled_from([len(content), 4096, 9000]))])
        with contextlib.suppress(UnreadableRecording):
            read_all(path)


def test_a_column_that_claims_too_much_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    deaths = np.zeros(5, rows.DEATH)
    write_all(path, [Batch("made", 0, 1, deaths=deaths, losses={"lost": 1})])
    for claimed in (-1, 1 << 40):
        database = sqlite3.connect(path)
        database.execute("UPDATE columns SET rows = ?", (claimed,))
        database.commit()
        database.close()
        with RecordingReader(path) as reader:
            batch = reader.poll()
            assert batch is not None
            assert not len(batch.deaths)
            assert batch.losses == {"lost": 1, "recording_damaged": 1}
            assert "deaths (1)" in reader.damage.sentence()
