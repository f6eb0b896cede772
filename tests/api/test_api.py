"""The Python face: the examples of docs/api.md run, and its report is the document of the command."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import memprobe
import pythons
from cli.running import document
from cli.unprivileged import needs_root
from memprobe import errors
from memprobe.api import Report
from memprobe.target.inspection.plain_data import WrongData
from patience import PATIENCE_S, until
from pythons import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text()


def examples(heading: str) -> str:
    """The code of a section."""
    text = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))


def run(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_root
def test_the_examples_with_another_process(targets: Path, tmp_path: Path) -> None:
    with pythons.own().spawn(targets / "leaking.py") as target:
        shown = run(f"pid = {target.pid}\n{examples('Another process')}", tmp_path)
    assert shown.startswith("tier ")
    assert "run.mprobe: " in shown


def test_the_examples_inside_an_application(tmp_path: Path) -> None:
    pid, titles = run(examples("Inside an application"), tmp_path).split(maxsplit=1)
    assert int(pid) > 1
    assert titles.strip() == "[]"


@needs_root
def test_a_report_is_the_document_of_the_command(bpf: None, targets: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    with pythons.own().spawn(targets / "two_leaks.py") as target:
        with memprobe.attach(target.pid, tree=True, record=path, settings={"run.learn": False}) as watch:
            until(lambda: watch.report().handles and watch.report().growth)
            early = watch.report()
        assert early.target.pid == target.pid
    report = watch.report()
    assert report.handles
    assert report.growth
    assert report.to_dict() == document("report", str(path))
    assert Report.from_dict(report.to_dict()) == report
    with memprobe.open_recording(path) as recording:
        assert recording.duration_s > 0
        assert recording.report() == report


RECORDINGS = ROOT / "tests" / "golden" / "recordings"
GOLDEN = [RECORDINGS / f"{name}.mprobe.gz" for name in ("format-1", "caches-reports-fast")]
"""One of the first format, and one with a finding; every recording is replayed elsewhere."""


def unpacked(packed: Path, folder: Path) -> Path:
    path = folder / packed.stem
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    return path


@pytest.mark.parametrize("packed", GOLDEN, ids=lambda packed: packed.name.partition(".")[0])
def test_recordings_of_every_kind(packed: Path, tmp_path: Path) -> None:
    path = unpacked(packed, tmp_path)
    with memprobe.open_recording(path) as recording:
        report = recording.report()
    assert report.to_dict() == document("report", str(path))
    assert Report.from_dict(report.to_dict()) == report
    for found, row in zip(report.findings, report.to_dict()["findings"], strict=True):
        assert found.to_dict() == json.loads(found.to_json()) == row


def test_what_goes_wrong_is_raised(targets: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.UsageError):
        memprobe.attach(1, settings={"no.such": 1})
    with pytest.raises(errors.NoSuchProcess), memprobe.attach(1 << 22):
        raise AssertionError("there is no such process")
    with pytest.raises(errors.UnreadableRecording), memprobe.open_recording("/etc/passwd"):
        raise AssertionError("that is no recording")
    with pytest.raises(WrongData):
        Report.from_dict({"schema": "memprobe.report/1"})
    for ask in (memprobe.attach(1).report, memprobe.attach(1).wait):
        with pytest.raises(ValueError, match="use the watch in a with statement"):
            ask()
    assert not [one for one in threading.enumerate() if one.name == "memprobe"]


def test_a_process_that_ends(targets: Path) -> None:
    with pythons.own().spawn(targets / "leaking.py") as target, memprobe.attach(target.pid) as watch:
        target.send("exit")
        assert not watch.wait(PATIENCE_S)
        assert "exited with code 0" in str(watch.report().target.ended)


def left() -> tuple[int, int]:
    """Descriptors and threads of this process: what a service would lose that attaches again and again."""
    return len(os.listdir("/proc/self/fd")), threading.active_count()


def test_nothing_is_left_of_a_run(targets: Path, tmp_path: Path) -> None:
    def watch(number: int) -> None:
        with memprobe.attach(target.pid, record=tmp_path / str(number)) as run:
            assert run.wait(0.1)

    with pythons.own().spawn(targets / "leaking.py") as target:
        watch(0)  # what this one has imported may hold some for ever
        descriptors, threads = left()
        for number in (1, 2):
            watch(number)
        until(lambda: left()[0] <= descriptors and left()[1] <= threads)


def test_objects_are_frozen(tmp_path: Path) -> None:
    with memprobe.open_recording(unpacked(GOLDEN[0], tmp_path)) as recording:
        report = recording.report()
    with pytest.raises(AttributeError):
        report.stamp = ""  # type: ignore[misc]
    with pytest.raises(TypeError):
        report.evidence.lost["events"] = 1  # type: ignore[index]


def test_the_stub_has_all_names() -> None:
    """The types of what is imported late are in a file beside the module."""
    stub = (ROOT / "memprobe" / "__init__.pyi").read_text()
    assert all(re.search(rf"\b{name}\b", stub) for name in memprobe.__all__)
    assert textwrap.dedent(stub).count('    "') == len(memprobe.__all__)
