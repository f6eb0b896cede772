"""A damaged file gives what is intact and names what is lost; what is no recording is refused."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from memprobe.errors import MemprobeError, UnreadableRecording
from memprobe.recording import RecordingReader, RecordingWriter
from memprobe.session import replayed
from memprobe.views.report import document
from recording.writing import FACTS, batch

SECONDS = 40


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small recording."""
    path = tmp_path_factory.mktemp("whole") / "run.mprobe"
    with RecordingWriter(path, FACTS) as writer:
        for second in range(1, SECONDS + 1):
            writer.write(batch(second))
    return path.read_bytes()


def read(path: Path) -> tuple[int, str]:
    """How many batches are read, and what is said of those that are not."""
    with RecordingReader(path) as reader:
        count = sum(1 for one in iter(reader.poll, None) if one.source == "made")
        return count, reader.damage.sentence()


def read_and_report(path: Path) -> tuple[int, str]:
    """The same; and the report says it."""
    count, sentence = read(path)
    report = document(*replayed(path))
    assert not sentence or any("damaged" in said for said in report["evidence"]["invisible"])
    return count, sentence


def test_one_broken_page_costs_what_was_on_it(tmp_path: Path, whole: bytes) -> None:
    """Every page in turn is overwritten: most of the rest is read, and never silently less than all."""
    path, kept = tmp_path / "run.mprobe", []
    for page in range(1, len(whole) // 4096):
        path.write_bytes(whole[: page * 4096] + b"\xa5" * 4096 + whole[(page + 1) * 4096 :])
        try:
            count, sentence = read(path)
        except UnreadableRecording:
            count, sentence = 0, "all"
        assert sentence or count == SECONDS, f"page {page}"
        kept.append(count)
    assert sum(count > SECONDS // 2 for count in kept) > 0.8 * len(kept)


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bits_and_cut_ends(tmp_path: Path, whole: bytes, seed: int) -> None:
    chance, path = random.Random(seed), tmp_path / "run.mprobe"
    content = bytearray(whole)
    for _ in range(chance.choice((0, 1, 10, 100))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    if chance.random() < 0.5:
        del content[chance.randrange(len(content)) :]
    path.write_bytes(content)
    try:
        count, _ = read_and_report(path)
    except UnreadableRecording:
        count = 0
    assert 0 <= count <= SECONDS


def test_a_torn_last_page(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "run.mprobe"
    path.write_bytes(whole[:-1000])
    count, sentence = read_and_report(path)
    assert count > SECONDS // 2 or sentence


def test_facts_that_are_gone(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "run.mprobe"
    path.write_bytes(whole)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE facts SET value = '{' WHERE name IN ('pid', 'target', 'tier')")
    ledger, run = replayed(path)
    assert (run.pid, run.tier) == (7, 0)
    assert len(ledger.handles.open(7).rows) == SECONDS
    assert "what was noted about the run (3)" in " ".join(run.invisible)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pid", 1e999),
        ("pid", "seven"),
        ("root", "seven"),
        ("tier", []),
        ("ended", 5),
        ("engine", {"name": 5}),
        ("overhead", {"target_slowdown_pct": "all of it"}),
        ("overhead", {"profiler_cpu_pct": 1e999}),
        ("target", {"cmdline": 5}),
        ("target", {"cmdline": [5]}),
        ("target", {"python": ["3.11"]}),
        ("target", {"pid": "/../../../etc/cron.d/it"}),  # a report is named after it
    ],
)
def test_facts_that_somebody_has_made_up(tmp_path: Path, whole: bytes, name: str, value: object) -> None:
    path = tmp_path / "run.mprobe"
    path.write_bytes(whole)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))
    with pytest.raises(UnreadableRecording, match="facts of the run are damaged"):
        replayed(path)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (None, 7, "No such file"),
        (b"", 7, "not a recording"),
        (b"text " * 100, 7, "not a recording"),
        (b"SQLite format 3\0" + b"\xff" * 8000, 7, "not a recording"),
    ],
)
def test_what_a_command_says(tmp_path: Path, content: bytes | None, code: int, words: str) -> None:
    path = tmp_path / "run.mprobe"
    if content is not None:
        path.write_bytes(content)
    arguments = ["replay" if content else "report", str(path)]
    done = subprocess.run(
        [Path(sys.executable).with_name("memprobe"), *arguments], capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_where_no_file_can_be_made(tmp_path: Path) -> None:
    memprobe = Path(sys.executable).with_name("memprobe")
    (tmp_path / "mine").write_text("mine")
    for name, words in (("mine", "already"), ("nowhere/run.mprobe", "mkdir -p")):
        command = [str(memprobe), "record", "1", "-o", str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 8, done.stderr
        assert words in done.stderr
    assert (tmp_path / "mine").read_text() == "mine"


def test_while_it_is_written_by_another(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    with RecordingWriter(path, FACTS) as writer:
        for second in range(1, 30):
            writer.write(batch(second))
            if second % 10 == 0:
                count, sentence = read(path)
                assert (count >= second - 3, sentence) == (True, "")


def test_every_failure_is_one_of_ours(tmp_path: Path) -> None:
    with pytest.raises(MemprobeError):
        replayed(tmp_path)
