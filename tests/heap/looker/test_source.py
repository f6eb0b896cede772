"""Looks at the heaps of real processes, in turn."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import pythons
from memprobe.heap.source import HeapSource
from memprobe.target import errand
from memprobe.target.proc.process import open_process
from memprobe.vocab import TargetId
from memprobe.vocab.batch import Batch
from memprobe.vocab.knobs import Knob
from memprobe.vocab.rows import NOT_MEASURED
from memprobe.vocab.subject import Seen, Subject, What
from patience import until

JOBS, QUEUE = "__main__.JOBS", "__main__.QUEUE.jobs"
GROWN = 500


@dataclass
class Run:
    """A source, and all that it has said."""

    source: HeapSource
    subjects: dict[int, Subject] = field(default_factory=dict)
    looks: dict[int, int] = field(default_factory=dict)
    counts: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    """Of collections, by process and holder."""

    died: set[str] = field(default_factory=set)
    invisible: tuple[str, ...] = ()

    def poll(self) -> None:
        batch = self.source.poll()
        assert batch is not None
        self.subjects |= batch.subjects
        self.invisible = batch.invisible
        for look in batch.looks:
            self.looks[int(look["pid"])] = self.looks.get(int(look["pid"]), 0) + 1
        self._take_populations(batch)

    def _take_populations(self, batch: Batch) -> None:
        for row in batch.populations:
            subject = self.subjects[int(row["subject_id"])]
            if row["flags"] & Seen.DIED:
                self.died.add(subject.holder)
            elif subject.what is What.CONTAINER and row["count"] != NOT_MEASURED:
                self.counts.setdefault((int(row["pid"]), subject.holder), []).append(int(row["count"]))

    def until(self, is_so: Callable[[], bool]) -> None:
        """Poll, faster than a session does, until it is so."""

        def holds() -> bool:
            self.poll()
            return is_so()

        until(holds)

    def last(self, pid: int, holder: str) -> int | None:
        return self.counts.get((pid, holder), [None])[-1]


def identity(pid: int) -> TargetId:
    with open_process(pid) as process:
        return process.id


@contextmanager
def looking(pid: int) -> Iterator[Run]:
    source = HeapSource(identity(pid))
    source.start()
    try:
        yield Run(source)
    finally:
        source.close()


def test_what_grows_is_seen_growing(interpreter: pythons.Interpreter, targets: Path) -> None:
    """By the lengths alone, without another look at the whole heap."""
    with interpreter.spawn(targets / "piling_up.py") as target, looking(target.pid) as run:
        run.source.turn(Knob.SNAPSHOTS, 8)  # the next look is more than a minute away
        run.until(lambda: run.looks.get(target.pid) == 1)
        assert (run.counts[target.pid, JOBS][0], run.counts[target.pid, QUEUE][0]) == (300, 200)
        jobs, queued = map(int, target.ask(f"grow {GROWN}").split())
        run.until(lambda: run.last(target.pid, JOBS) == jobs and run.last(target.pid, QUEUE) == queued)
        assert run.looks == {target.pid: 1}
        assert run.invisible == ()
        assert run.died == set()


def test_a_list_that_is_replaced_is_found_again(targets: Path) -> None:
    with pythons.own().spawn(targets / "piling_up.py") as target, looking(target.pid) as run:
        run.until(lambda: run.looks.get(target.pid) == 1)
        target.ask("renew")
        run.until(lambda: run.looks.get(target.pid) == 2)
        assert run.last(target.pid, QUEUE) == 100
        assert QUEUE not in run.died


def test_workers_are_looked_at_in_turn_and_let_go(targets: Path) -> None:
    with pythons.own().spawn(targets / "piling_up.py") as target, looking(target.pid) as run:
        worker = int(target.ask("worker"))
        run.source.follow([identity(worker)])
        run.until(lambda: run.looks.keys() == {target.pid, worker})
        assert run.last(worker, JOBS) == 300
        before = set(run.died)
        os.kill(worker, 9)
        run.source.follow([])
        run.poll()
        assert {JOBS, QUEUE} <= run.died - before
        target.ask("grow 1")
        run.until(lambda: run.last(target.pid, JOBS) == 301)


def test_another_program_begins_anew(targets: Path) -> None:
    with pythons.own().spawn(targets / "piling_up.py") as target, looking(target.pid) as run:
        run.until(lambda: run.looks.get(target.pid) == 1)
        target.send("exec ELSE=[object() for _ in range(77)];print('ready',flush=True);input()")
        target.expect("ready")
        run.until(lambda: run.last(target.pid, "__main__.ELSE") == 77)
        assert {JOBS, QUEUE} <= run.died


def test_another_program_that_is_no_python(targets: Path) -> None:
    with pythons.own().spawn(targets / "piling_up.py") as target, looking(target.pid) as run:
        run.until(lambda: run.looks.get(target.pid) == 1)
        target.send("exec import os;print('ready',flush=True);os.execv('/bin/sleep',['sleep','99'])")
        target.expect("ready")
        run.until(lambda: any("The heap of process" in one and "Python" in one for one in run.invisible))
        assert {JOBS, QUEUE} <= run.died


def test_a_target_that_ends_keeps_what_was_known_of_it(targets: Path) -> None:
    with pythons.own().spawn(targets / "piling_up.py") as target, looking(target.pid) as run:
        run.until(lambda: run.looks.get(target.pid) == 1)
        target.kill()
        for _ in range(20):
            run.poll()
        assert run.died == set()
        assert run.invisible == ()


def test_a_look_that_is_killed_is_done_again(targets: Path) -> None:
    with pythons.own().spawn(targets / "piling_up.py") as target, looking(target.pid) as run:
        under_way = run.source._errand
        assert under_way is not None
        os.kill(under_way.pid, 9)
        run.until(lambda: bool(run.invisible))
        assert "without an answer" in run.invisible[0]
        run.until(lambda: run.looks.get(target.pid) == 1)
        assert run.invisible == ()
        assert run.source.costs().helper_cpu_ns == 0


def test_a_look_that_hangs_is_given_up(targets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = pythons.own()
    if not (3, 9) <= own.version <= (3, 11):
        pytest.skip("the target knows the interpreter state of 3.9 to 3.11 only")
    monkeypatch.setattr(errand, "BLOCKED_LIMIT_S", 0.5)
    with own.spawn(targets / "withholds_memory.py", "later") as target, looking(target.pid) as run:
        run.until(lambda: run.looks.get(target.pid) == 1)
        if target.ask("now") == "refused":
            pytest.skip("this kernel has no userfaultfd for us")
        run.until(lambda: any("does not return" in sentence for sentence in run.invisible))
        assert run.died == set()


def test_nothing_is_left_behind(targets: Path) -> None:
    with pythons.own().spawn(targets / "piling_up.py") as target:
        with looking(target.pid) as run:
            under_way = run.source._errand
            assert under_way is not None
            child = under_way.pid
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
        run.source.close()


def test_where_there_can_be_no_child_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    open_before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr("os.fork", full)
    source = HeapSource(identity(os.getpid()))
    try:
        source.start()
        batch = source.poll()
    finally:
        source.close()
    assert batch is not None
    assert "no process could be started that looks at it" in batch.invisible[0]
    assert len(os.listdir("/proc/self/fd")) == open_before
