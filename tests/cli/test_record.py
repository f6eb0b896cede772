"""What `memprobe record` says at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from memprobe.cli import record
from memprobe.errors import OutputNotWritable
from views.made_up_report import HOSTILE, report


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
