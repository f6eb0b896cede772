"""`memprobe report` in other forms: into files and standard output, and what may go wrong with them."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from cli.running import complaint, run
from memprobe.recording import RecordingWriter
from views.made_up_story import PID, batch

FORMS = ("html", "json-lines", "pprof", "speedscope", "collapsed", "sarif", "openmetrics")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recording of half a minute."""
    path = tmp_path_factory.mktemp("recorded") / "run.mprobe"
    facts = {
        "pid": PID,
        "target": {"pid": PID, "cmdline": ["python3", "main.py"], "python": "3.11.7", "build": "static"},
        "created_at": "2026-11-21T12:00:00Z",
        "tier": 1,
        "tree": False,
        "ended": None,
        "overhead": {},
        "invisible": [],
    }
    with RecordingWriter(path, facts) as writer:
        for number in range(30):
            writer.write(batch(number, 1.0, 20))
    return str(path)


def test_every_form_at_once_beside_the_page(recording: str, tmp_path: Path) -> None:
    old = tmp_path / "html"
    old.write_text("old")
    old.chmod(0o640)
    options = [word for form in FORMS for word in (f"--{form}", str(tmp_path / form))]
    done = run("report", recording, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"pid {PID}: ")
    assert sorted(os.listdir(tmp_path)) == sorted(FORMS)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "sarif").stat().st_mode) == 0o600
    html = old.read_text()
    assert html.startswith("<!DOCTYPE html>")
    stored = json.loads(html.split('id="data">')[1].split("</script>")[0])
    assert len(stored["regions"]) == 20
    assert [len(line["points"]) for line in stored["memory"] if line["name"] == "resident"] == [30]


def test_standard_output_is_for_one_of_them(recording: str) -> None:
    done = run("report", recording, "--openmetrics", "-")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# TYPE memprobe_target info\n")
    assert done.stdout.endswith("# EOF\n")
    both = run("report", recording, "--openmetrics", "-", "--json")
    assert "--openmetrics and --json cannot both go to standard output" in complaint(both, 2)


def test_no_form_is_written_over_the_recording(recording: str, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(recording)
    for name in (recording, str(link)):
        assert "is the recording itself" in complaint(run("report", recording, "--html", name), 2)
    assert run("report", recording).returncode == 0


@pytest.mark.parametrize("where", ["/dev/full", "{folder}", "{folder}/none/report"])
def test_what_cannot_be_written(recording: str, tmp_path: Path, where: str) -> None:
    name = where.format(folder=tmp_path)
    assert "cannot be written" in complaint(run("report", recording, "--html", name), 8)
    assert os.listdir(tmp_path) == []
