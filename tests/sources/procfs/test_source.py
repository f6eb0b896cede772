"""The source: batch after batch, until the target ends, execs, forks, or the governor says less."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memprobe.abi import ProcessHow
from memprobe.errors import TargetGone
from memprobe.ledger.handles import HandleLedger
from memprobe.sources.procfs import ProcfsSource, pictures
from memprobe.sources.procfs import followed as followed_module
from memprobe.sources.procfs.source import POLLED
from memprobe.target.proc.process import open_process
from memprobe.vocab.batch import Batch
from memprobe.vocab.knobs import NOTHING, Knob, Sheddable
from memprobe.vocab.source import Source
from patience import until
from sources.procfs.watching import polled, shown, watched
from target.looking import WAIT, as_nobody, needs_root, running

SELDOM_S = 3600.0


def events(batch: Batch) -> list[tuple[str, int]]:
    return [(ProcessHow(row["how"]).name, int(row["pid"])) for row in batch.processes]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_it_is_a_source() -> None:
    with (
        running(sys.executable, "-c", WAIT) as target,
        watched(target.pid, picture_interval_s=SELDOM_S) as source,
    ):
        assert isinstance(source, Source)
        assert isinstance(source, Sheddable)
        assert (source.name, source.tier) == ("procfs", 0)
        first, second = polled(source), polled(source)
    assert first.end_ns == second.begin_ns
    assert first.begin_ns < first.handles[0].begin_ns < first.handles[0].end_ns < first.end_ns
    assert first.drained_ns is None
    assert first.invisible == (POLLED,)
    assert second.handles == ()  # not due yet
    source.close()
    assert source.poll() is None


def test_nothing_stays_open() -> None:
    before = open_files()
    with running(sys.executable, "-c", WAIT) as target, watched(target.pid, tree=True) as source:
        polled(source)
    assert open_files() == before


def test_handles_that_cannot_be_read_just_now(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with running(sys.executable, "-c", WAIT) as target, watched(target.pid) as source:
        monkeypatch.setattr(pictures.Pictures, "take", full)
        told = polled(source)
    assert told.handles == ()
    assert len(told.samples) == 1
    assert any("open handles of process" in sentence for sentence in told.invisible)


def test_a_target_that_ends() -> None:
    with running(sys.executable, "-c", WAIT) as target, watched(target.pid) as source:
        polled(source)
        target.kill()
        last = polled(source)
        assert events(last) == [("EXIT", target.pid)]
        assert (len(last.samples), last.handles) == (0, ())
        assert source.poll() is None
        assert source.poll() is None


def test_a_target_that_has_ended_before_the_start() -> None:
    with running(sys.executable, "-c", WAIT) as target, open_process(target.pid) as process:
        target.kill()
        with pytest.raises(TargetGone):
            ProcfsSource(process).start()


def test_a_target_that_ends_at_any_moment(targets: Path) -> None:
    """No picture says that everything was closed, no exception comes, the end is told once."""
    for round_ in range(25):
        with (
            running(sys.executable, targets / "many_files.py", "300") as target,
            watched(target.pid) as source,
        ):
            polled(source)
            killer = subprocess.Popen(
                ["sh", "-c", f"sleep 0.0{round_ % 5}{round_ % 7}; kill -9 {target.pid}"]
            )
            batches = []
            while (batch := source.poll()) is not None:
                batches.append(batch)
                source.request_pictures()
            killer.wait()
        told = [event for batch in batches for event in events(batch)]
        assert told == [("EXIT", target.pid)]
        assert {len(one.rows) for batch in batches for one in batch.handles} <= {303}


def test_a_target_that_calls_exec(targets: Path) -> None:
    before = open_files()
    with running(sys.executable, targets / "parent.py") as target, watched(target.pid) as source:
        polled(source)
        target.send("exec")
        target.expect("other")
        batch = polled(source)
        assert events(batch) == [("EXEC", target.pid)]
        after = polled(source)
        assert events(after) == []
        assert after.samples["pid"].tolist() == [target.pid]
        target.kill()
        assert events(polled(source)) == [("EXIT", target.pid)]
        assert source.poll() is None
    assert open_files() <= before


def test_children_are_followed(targets: Path) -> None:
    with running(sys.executable, targets / "parent.py") as target:
        there = list(map(int, target.ask("fork").split()))
        with watched(target.pid, tree=True, picture_interval_s=SELDOM_S) as source:
            assert source.pids == {target.pid, *there}
            assert events(polled(source)) == []
            born = list(map(int, target.ask("thread").split()))
            batch = polled(source)
            forks = [(int(row["pid"]), int(row["other"])) for row in batch.processes]
            assert forks == [(target.pid, born[0]), (born[0], born[1])]
            everyone = {target.pid, *there, *born}
            assert set(batch.samples["pid"].tolist()) == everyone
            assert {one.pid for one in batch.handles} == set(born)
            os.kill(born[1], signal.SIGKILL)
            until_ended(born[1])
            assert events(polled(source)) == [("EXIT", born[1])]
            assert source.pids == everyone - {born[1]}


def until_ended(pid: int) -> None:
    until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX")


def test_beside_a_source_with_events_it_is_silent_about_processes(targets: Path) -> None:
    with (
        running(sys.executable, targets / "parent.py") as target,
        watched(target.pid, tree=True, reports_processes=False) as source,
    ):
        target.ask("fork")
        batch = polled(source)
        assert len(source.pids) == 3
        assert len(batch.processes) == 0
        assert batch.invisible == ()


def test_the_governor_turns_pictures_down() -> None:
    with running(sys.executable, "-c", WAIT) as target, watched(target.pid, picture_interval_s=0.0) as source:
        assert source.knobs == {Knob.SNAPSHOTS}
        assert len(polled(source).handles) == 1
        source.turn(Knob.SNAPSHOTS, NOTHING)
        source.request_pictures()
        assert [len(polled(source).handles) for _ in range(3)] == [0, 0, 0]
        source.turn(Knob.SNAPSHOTS, 4)
        assert len(polled(source).handles) == 1


def test_pictures_pace_themselves(targets: Path) -> None:
    """Many descriptors: pictures are as far apart as their share of a CPU demands."""
    with (
        running(sys.executable, targets / "many_files.py", "3000") as target,
        watched(target.pid, picture_interval_s=0.0, picture_share=1e-5) as source,
    ):
        before_ns = time.monotonic_ns()
        polled(source)
        cost_ns = source.picture_cost_ns
        assert cost_ns > 0
        assert len(polled(source).handles) == 0
        due_ns = source._followed[target.pid].picture_due.at_ns
        assert due_ns - before_ns > 50_000 * cost_ns


def test_too_many_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed_module, "DESCRIPTORS_LIMIT", 2)
    with running(sys.executable, "-c", WAIT) as target, watched(target.pid) as source:
        batch = polled(source)
    assert batch.handles == ()
    assert batch.samples["fds"].tolist() == [3]
    assert any("too many to look at each" in sentence for sentence in batch.invisible)


def test_what_time_did_not_suffice_for_is_counted(targets: Path) -> None:
    with (
        running(sys.executable, targets / "many_files.py", "5000") as target,
        watched(target.pid, picture_limit_s=0.001) as source,
    ):
        batch = polled(source)
    assert len(batch.handles[0].rows) == 5003
    assert 0 < batch.losses["picture_cut"] <= 5003 - pictures._STEP


@needs_root
def test_own_processes_of_a_user_without_rights() -> None:
    def look() -> tuple[int, int, set[str]]:
        # A program that everybody may run.
        with running("sh", "-c", "echo ready; read line") as target, watched(target.pid) as source:
            batch = polled(source)
        (handles,) = batch.handles
        return int(batch.samples["fds"][0]), len(handles.rows), {one.kind for one in shown(handles).values()}

    assert as_nobody(look) == (3, 3, {"pipe", "file"})


def test_pictures_alone_feed_the_ledger(targets: Path) -> None:
    """Tier 0: births and deaths are the differences between pictures."""
    with running(sys.executable, targets / "many_files.py", "100") as target, watched(target.pid) as source:
        ledger = HandleLedger()
        ledger.fold(polled(source))
        assert len(ledger.open(target.pid).rows) == 103
        assert target.ask("150") == "done"
        source.request_pictures()
        ended = ledger.fold(polled(source))
        opened = ledger.open(target.pid)
        assert len(ended) == 100
        assert len(opened.rows) == 153
        assert sum(opened.text(row) == "/etc/hostname" for row in range(153)) == 150
        target.kill()
        assert len(ledger.fold(polled(source))) == 153
        assert ledger.processes() == frozenset()
