"""attach, handles and report on real targets: with BPF, without it, and on a target that ends."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import pythons
from cli.running import COMMAND, complaint, document, run
from cli.unprivileged import needs_root
from memprobe.recording.reader import RecordingReader
from memprobe.vocab.subject import Seen
from patience import PATIENCE_S, until

OPENED = 20
POLLING = ("env", "MEMPROBE_RUN_ENGINE=proc")
WITHOUT_BPF = ("setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin", "--", *POLLING)


@contextmanager
def attached(*arguments: str | int | Path, wrapper: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """Run attach beside the test; kill it if the test forgets it."""
    command = [*wrapper, *COMMAND, "attach", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(path: Path, table: str, process: subprocess.Popen[str]) -> None:
    """Wait until a batch with rows in a table is in the recording: the run has begun."""

    def has_begun() -> bool:
        assert process.poll() is None, process.communicate()
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                return bool(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        except sqlite3.Error:
            return False

    until(has_begun)


def ended(process: subprocess.Popen[str], number: int = signal.SIGINT) -> dict[str, Any]:
    """End a run and return its report."""
    process.send_signal(number)
    return finished(process)


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")
    report = json.loads(output)
    assert isinstance(report, dict)
    return report


def born(report: dict[str, Any], function: str) -> list[dict[str, Any]]:
    """The rows whose birth stack has this function."""
    return [
        row for row in report["handles"] if any(frame["function"].endswith(function) for frame in row["site"])
    ]


def frame_of(row: dict[str, Any], function: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [frame for frame in row["site"] if frame["function"].endswith(function)]
    return found[0]


@needs_root
def test_the_lines_that_opened_what_is_open(
    bpf: None, interpreter: pythons.Interpreter, targets: Path, tmp_path: Path
) -> None:
    recording = tmp_path / "run.mprobe"
    with interpreter.spawn(targets / "leaking.py") as target:
        with attached(target.pid, "--json", "--record", recording) as process:
            wait_for(recording, "samples", process)
            truth = json.loads(target.ask(str(OPENED)))
            report = ended(process)
        again = document("report", str(recording))
        shown = document("handles", str(recording), "--site", "open_file")
    (files,), (pairs,) = born(report, "open_file"), born(report, "open_pair")
    assert (files["kind"], files["open"], files["inherited"]) == ("file", OPENED, 0)
    assert (pairs["kind"], pairs["open"], pairs["inherited"]) == ("socket", OPENED, 0)
    assert frame_of(files, "open_file")["line"] == 11
    assert frame_of(pairs, "open_pair")["line"] == 15
    assert files["site"][0]["file"].endswith("leaking.py")
    assert [path.endswith("/etc/passwd") for path in files["examples"]] == [True]  # in its own root
    # One of them was the listing of the folder itself.
    assert sum(row["open"] for row in report["handles"]) == len(truth) - 1
    assert report["target"]["tier"] == 2
    assert report["target"]["ended"] is None
    assert report["findings"] == []
    assert report["evidence"]["lost"] == {}
    assert report["overhead"]["target_slowdown_pct"] is not None
    assert again["handles"] == report["handles"]
    assert again["growth"] == report["growth"]
    assert again == report
    assert [row["open"] for row in shown["handles"]] == [OPENED]
    assert recording.stat().st_mode & 0o777 == 0o600


@needs_root
def test_without_bpf_it_polls_and_says_so(targets: Path, tmp_path: Path) -> None:
    recording = tmp_path / "run.mprobe"
    with (
        pythons.own().spawn(targets / "leaking.py") as target,
        attached(target.pid, "--json", "--record", recording, wrapper=WITHOUT_BPF) as process,
    ):
        wait_for(recording, "pictures", process)
        truth = json.loads(target.ask(str(OPENED)))
        report = ended(process, signal.SIGTERM)
    assert report["target"]["tier"] == 1
    assert sum(row["open"] for row in report["handles"]) == len(truth) - 1
    births = {row["born"]: row for row in report["handles"] if row["kind"] == "file"}
    assert births["polled"]["open"] == OPENED
    assert births["polled"]["opened_per_s"] is None
    assert {row["born"] for row in report["handles"]} == {"polled", "inherited"}
    assert report["growth"] == []
    assert any("is not seen" in sentence for sentence in report["evidence"]["invisible"])
    assert any("polled from /proc" in sentence for sentence in report["evidence"]["invisible"])
    assert report["memory"]["rss_mb"] > 1
    assert document("report", str(recording)) == report


@pytest.mark.parametrize("wrapper", [(), WITHOUT_BPF], ids=["as it is", "without BPF"])
@needs_root
def test_a_target_that_ends_in_the_middle(targets: Path, tmp_path: Path, wrapper: tuple[str, ...]) -> None:
    recording = tmp_path / "run.mprobe"
    with (
        pythons.own().spawn(targets / "leaking.py") as target,
        attached(target.pid, "--json", "--record", recording, wrapper=wrapper) as process,
    ):
        wait_for(recording, "pictures", process)
        target.ask(str(OPENED))
        if wrapper:  # polling sees what is there when it looks
            until(lambda: most_open(recording) >= 2 * OPENED)
        target.send("exit")
        report = finished(process)
    assert "exited with code 0" in report["target"]["ended"]  # the test has not collected it yet
    assert sum(row["open"] for row in report["handles"]) >= 2 * OPENED
    assert document("report", str(recording)) == report


def most_open(recording: Path) -> int:
    """How many descriptors the fullest picture in a recording shows."""
    with RecordingReader(recording) as reader:
        pictures = (picture for batch in iter(reader.poll, None) for picture in batch.handles)
        return max((len(picture.rows) for picture in pictures), default=0)


@needs_root
def test_a_run_that_was_killed_still_reports(bpf: None, targets: Path, tmp_path: Path) -> None:
    recording = tmp_path / "run.mprobe"
    with pythons.own().spawn(targets / "leaking.py") as target:
        with attached(target.pid, "--json", "--record", recording) as process:
            wait_for(recording, "pictures", process)
            process.kill()
            process.wait()
        report = document("report", str(recording))
        assert target.ask("1")
    assert report["handles"]
    assert report["target"]["pid"] == target.pid


def test_the_pages_in_a_pipe(targets: Path) -> None:
    with pythons.own().spawn(targets / "leaking.py") as target:
        shown = run("attach", target.pid, "--duration", "0.5")
        table = run("handles", target.pid, "--duration", "0.5")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"pid {target.pid}: no leak found; watched for ")
    assert "what it cost:" in shown.stdout
    assert (table.returncode, table.stderr) == (0, "")
    assert table.stdout.startswith(f"pid {target.pid} has ")
    assert "before the attach" in table.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("attach", "nonsense"), 2, "is not a pid"),
        (("attach", "1", "--duration", "-1"), 2, "--duration must be above 0"),
        (("attach", "1", "--max-overhead", "0"), 2, "--max-overhead must be above 0"),
        (("attach", str(10**30)), 4, "no process has the pid"),
        (("handles", "nonsense"), 2, "neither a pid nor a file"),
        (("handles", "/etc/passwd"), 7, "not a recording"),
        (("report", "/no-such-file.mprobe"), 7, "No such file"),
        (("report", "/etc/passwd"), 7, "not a recording"),
    ],
)
def test_what_cannot_be_watched_is_refused_in_one_line(
    arguments: tuple[str, ...], code: int, words: str
) -> None:
    assert words in complaint(run(*arguments), code)


def test_a_process_that_is_not_python_is_refused() -> None:
    with pythons.spawn_command(["sh", "-c", "echo ready; read line"]) as target:
        complaint(run("attach", target.pid, "--duration", "1"), 5)


def test_a_recording_is_not_written_over(targets: Path, tmp_path: Path) -> None:
    recording = tmp_path / "run.mprobe"
    recording.write_text("mine")
    with pythons.own().spawn(targets / "leaking.py") as target:
        words = complaint(run("attach", target.pid, "--record", str(recording), "--duration", "1"), 8)
    assert "already" in words
    assert recording.read_text() == "mine"
    assert os.listdir(tmp_path) == ["run.mprobe"]


def open_in(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.few_interpreters
@needs_root
def test_children_that_are_older_than_the_attach_are_followed(
    bpf: None, interpreter: pythons.Interpreter, targets: Path, tmp_path: Path
) -> None:
    """Their births have lines, too, and so have those of children that come later."""
    recording = tmp_path / "run.mprobe"
    with interpreter.spawn(targets / "family.py") as target:
        elder = int(target.ask("keep"))
        with attached(target.pid, "--tree", "--json", "--record", recording) as process:
            wait_for(recording, "samples", process)
            later = int(target.ask("keep"))
            for child in (elder, later):
                wanted = open_in(child) + 3
                os.kill(child, signal.SIGUSR1)
                until(lambda child=child, wanted=wanted: open_in(child) >= wanted)  # type: ignore[misc]
            report = ended(process)
        alone = document("attach", target.pid, "--duration", "1")
        for child in (elder, later):
            os.kill(child, signal.SIGKILL)
    assert sum(row["open"] for row in born(report, "open_some")) == 6
    assert {frame_of(row, "open_some")["line"] for row in born(report, "open_some")} == {6}
    assert [one for one in report["evidence"]["invisible"] if "older" in one or "child" in one] == []
    assert report["evidence"]["repaired"] == 0
    assert document("report", str(recording)) == report
    assert born(alone, "open_some") == []


@pytest.mark.parametrize("wrapper", [(), WITHOUT_BPF], ids=["as it is", "without BPF"])
@needs_root
def test_heaps_are_looked_at(targets: Path, tmp_path: Path, wrapper: tuple[str, ...]) -> None:
    """Those of the workers, too; and a recording tells the same."""
    recording = tmp_path / "run.mprobe"
    with pythons.own().spawn(targets / "piling_up.py") as target:
        workers = [int(target.ask("worker")) for _ in range(2)]
        family = {target.pid, *workers}
        with attached(target.pid, "--tree", "--json", "--record", recording, wrapper=wrapper) as process:
            wait_for(recording, "samples", process)
            until(lambda: looked_at(recording).keys() == family or process.poll() is not None, pause_s=0.2)
            report = ended(process)
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
    assert document("report", str(recording)) == report
    assert report["evidence"]["torn_objects"] == 0
    assert report["evidence"]["snapshots"] >= 3
    assert [one for one in report["evidence"]["invisible"] if "heap" in one] == []
    assert {pid: counts["__main__.JOBS"] for pid, counts in looked_at(recording).items()} == dict.fromkeys(
        family, 300
    )


def looked_at(recording: Path) -> dict[int, dict[str, int]]:
    """Lengths of collections by process and holder, as far as a recording goes."""
    found: dict[int, dict[str, int]] = {}
    holders: dict[int, str] = {}
    with RecordingReader(recording) as reader:
        while (batch := reader.poll()) is not None:
            holders |= {number: subject.holder for number, subject in batch.subjects.items()}
            for row in batch.populations[batch.populations["flags"] & Seen.DIED == 0]:
                counts = found.setdefault(int(row["pid"]), {})
                counts[holders.get(int(row["subject_id"]), "")] = int(row["count"])
    return found


@needs_root
def test_a_target_whose_memory_does_not_return(bpf: None, targets: Path) -> None:
    """It is watched without its memory, and that is said; nothing of memprobe hangs."""
    own = pythons.own()
    if not (3, 9) <= own.version <= (3, 11):
        pytest.skip("the target knows the interpreter state of 3.9 to 3.11 only")
    with own.spawn(targets / "withholds_memory.py", ready="") as target:
        if target.ready == "refused":
            pytest.skip("this kernel has no userfaultfd for us")
        report = document("attach", target.pid, "--duration", "2")
    assert report["target"]["tier"] == 2
    assert report["target"]["ended"] is None
    assert report["memory"]["rss_mb"] > 1
    assert report["handles"]
    assert any("does not return" in sentence for sentence in report["evidence"]["invisible"])
