"""Whatever ends a writer, its file opens, has everything that was committed, and reports."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from memprobe.recording import RecordingReader
from memprobe.session import replayed
from memprobe.views.report import document
from patience import PATIENCE_S
from recording.writing import HEAP_S, STATE_S, heap

WRITING = Path(__file__).with_name("writing.py")


def started(path: Path, ring_s: int) -> subprocess.Popen[str]:
    """The writing program."""
    command = [sys.executable, str(WRITING), str(path), *([str(ring_s)] if ring_s else [])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def killed_at(path: Path, chance: random.Random) -> None:
    """Kill a writer at some moment after its first commit, and look at what is left."""
    ring_s = chance.choice((0, 20))
    with started(path, ring_s) as writer:
        assert writer.stdout is not None
        committed = int(writer.stdout.readline())
        time.sleep(chance.random() * chance.choice((0.03, 0.3, 1.5)))
        writer.send_signal(signal.SIGKILL)
        told = writer.stdout.read().split()
    check(path, int(told[-1]) if told else committed, ring_s)


def filled_up(path: Path, chance: random.Random) -> None:
    """Write until the disk is full."""
    ballast = path.with_name("ballast")
    free = os.statvfs(path.parent)
    ballast.write_bytes(bytes(chance.randrange(free.f_bavail * free.f_frsize - (300 << 10))))
    with started(path, 0) as writer:
        told = writer.communicate(timeout=PATIENCE_S)[0].splitlines()
    assert told[-1].startswith("failed"), told
    check(path, int(told[-2]) if len(told) > 1 else 0, 0)
    for one in path.parent.iterdir():
        one.unlink()


def check(path: Path, committed: int, ring_s: int) -> None:
    """The file has every batch that was committed, one after the other, and it reports."""
    with RecordingReader(path) as reader:
        found = [batch.end_ns // 10**9 - 1 for batch in iter(reader.poll, None) if batch.source == "made"]
        assert not reader.damage.count, reader.damage.sentence()
        check_heap(reader, committed)
    assert not found or found == list(range(found[0], found[-1] + 1))
    assert (found[-1] if found else 0) >= committed
    assert ring_s or not found or found[0] == 1
    assert len(found) <= 2 * ring_s + 10 or not ring_s
    report = document(*replayed(path))
    assert committed == 0 or report["handles"][0]["open"] > 0
    check_states(path, ring_s)


def check_heap(reader: RecordingReader, committed: int) -> None:
    """There is one whole heap, as long as one was written: never half of one, nor parts of two."""
    kept = reader.heap()
    assert kept is not None or committed < HEAP_S
    if kept is not None:
        wanted = heap(kept.texts["second"])
        assert (kept.lost, kept.texts) == ((), wanted.texts)
        assert all(np.array_equal(kept.arrays[name], wanted.arrays[name]) for name in wanted.arrays)


def check_states(path: Path, ring_s: int) -> None:
    """What the run had come to is in the file, and is what its batches come to."""
    report = document(*replayed(path))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        for one in path.parent.glob(f"{path.name}*"):
            shutil.copyfile(one, copy.with_name(one.name))
        with closing(sqlite3.connect(copy)) as database, database:
            stored, last = database.execute("SELECT count(*), max(batch) FROM states").fetchone()
            written = database.execute("SELECT max(id) FROM batches").fetchone()[0] or 0
            database.execute("DELETE FROM states")
        assert (last or 0) <= written
        assert stored or ring_s or written < 2 * STATE_S
        assert document(*replayed(copy)) == report


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A file system of so many bytes; root only."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "memprobe", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
