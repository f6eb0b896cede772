"""What `memprobe record` says at its end."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import termios
from contextlib import closing
from pathlib import Path

import pytest

import pythons
from cli.test_attach import wait_for
from commands import run
from memprobe.cli import record
from memprobe.errors import OutputNotWritable
from memprobe.recording import RecordingReader
from patience import PATIENCE_S
from views.made_up_report import HOSTILE, report

ON_A_TERMINAL = """
import fcntl, signal, sys, termios
from memprobe.cli import main
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever runs the tests may ignore it, as nohup does
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.exit(main())
"""


def test_names_of_the_target_cannot_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = report()
    document["findings"][0] |= {"title": HOSTILE, "holder": HOSTILE}
    path = tmp_path / "run.mprobe"
    path.touch()
    record._show(document, str(path), False)
    shown = capsys.readouterr().out
    assert "\\x1b" in shown
    assert all(line.isprintable() for line in shown.splitlines())


def test_a_recording_that_somebody_removed(tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritable, match="gone"):
        record._show(report(), str(tmp_path / "run.mprobe"), False)


def test_a_terminal_that_is_closed_ends_the_run_and_closes_the_file(targets: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))  # room for the live view
    with pythons.own().spawn(targets / "leaking.py") as target:
        command = [sys.executable, "-c", ON_A_TERMINAL, "record", str(target.pid), "-o", str(path)]
        with subprocess.Popen(
            [*command, "--no-learn"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            text=True,
        ) as recording:
            os.close(theirs)
            wait_for(path, "samples", recording)
            os.close(ours)
            assert recording.wait(PATIENCE_S) == OutputNotWritable.exit_code
    assert os.listdir(tmp_path) == ["run.mprobe"]  # no -wal that a copy would lack
    assert has_begun(path)


def has_begun(path: Path) -> bool:
    """Whether something is in a recording."""
    with RecordingReader(path) as reader:
        return any(len(batch.samples) for batch in iter(reader.poll, None))


def test_its_report_is_that_of_the_run_with_what_it_had_come_to_and_without(
    targets: Path, tmp_path: Path
) -> None:
    path, memprobe = tmp_path / "run.mprobe", Path(sys.executable).with_name("memprobe")
    with pythons.own().spawn(targets / "leaking.py") as target:
        told = run(
            memprobe, "attach", str(target.pid), *f"--no-learn --json --duration 4 --record {path}".split()
        )
    assert run(memprobe, "report", path, "--json") == told
    with closing(sqlite3.connect(path)) as database, database:
        assert database.execute("DELETE FROM states").rowcount == 1
    assert run(memprobe, "report", path, "--json") == told
