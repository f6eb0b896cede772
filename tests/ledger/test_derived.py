"""Subjects that the ledger makes itself: descriptors by place, kind and state, threads, memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ledger.kernel_model import Kernel
from memprobe.abi import BirthHow
from memprobe.ledger import Ledger
from memprobe.ledger.populations import DERIVED, Population
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch
from memprobe.vocab.kinds import HandleKind, SocketState
from memprobe.vocab.stack import Frame, Stack
from memprobe.vocab.subject import Seen, What

LIBRARY = Frame("Client.open", "/srv/venv/lib/python3.11/site-packages/client/core.py", 9)


def called_from(line: int, *more: Frame) -> Stack:
    return Stack((LIBRARY, Frame("App.ask", "/srv/app.py", line), *more), True)


STACKS = {
    1: called_from(4, Frame("main", "/srv/main.py", 1)),
    2: called_from(4, Frame("main", "/srv/main.py", 2)),
    3: called_from(8),
}
"""Two ways to the same line, and another line."""


class Run:
    """A process and its ledger; `sample` ends a second."""

    def __init__(self) -> None:
        self.kernel, self.ledger = Kernel(), Ledger()
        self.pid = self.kernel.process()
        self.kernel.batch()
        self.kernel.census(self.pid)
        self.rows: list[np.void] = []

    def sample(self, **numbers: Any) -> None:
        self.kernel.now_ns += 1_000_000_000
        batch = replace(self.kernel.batch(), stacks=STACKS)
        self.rows += list(self.ledger.fold(batch).populations)
        sample = rows.unmeasured(1)
        sample["time_ns"], sample["pid"] = self.kernel.now_ns, self.pid
        for name, value in numbers.items():
            sample[name] = value
        self.rows += list(self.ledger.fold(Batch("procfs", 0, batch.end_ns, samples=sample)).populations)

    def found(self, what: What, kind: str, line: int | None = None) -> Population | None:
        for one in self.ledger.populations:
            subject = self.ledger.populations.subjects[one.subject_id]
            at = subject.site[1].line if subject.site else None
            if (subject.what, subject.type.split(" .")[0], at, one.pid) == (what, kind, line, self.pid):
                return one
        return None

    def count(self, what: What, kind: str, line: int | None = None) -> int | None:
        found = self.found(what, kind, line)
        return None if found is None else found.count


def test_one_line_of_the_program_is_one_place_whoever_calls_it() -> None:
    run = Run()
    run.sample()
    for stack in (1, 2, 2, 3):
        run.kernel.open(run.pid, stack)
    run.sample()
    assert (run.count(What.HANDLES, "file", 4), run.count(What.HANDLES, "file", 8)) == (3, 1)
    found = run.found(What.HANDLES, "file", 4)
    assert found is not None
    assert (found.first_count, found.first_ns < found.time_ns) == (0, True)
    assert found.subject_id & DERIVED
    assert 0 < (found.oldest_ns or 0) < 2_000_000_000


def test_a_place_where_nothing_is_open_any_more_has_none() -> None:
    run = Run()
    opened = [run.kernel.open(run.pid, 1) for _ in range(3)]
    run.sample()
    for descriptor in opened:
        run.kernel.close(run.pid, descriptor)
    run.sample()
    assert run.count(What.HANDLES, "file", 4) == 0


def test_what_was_inherited_or_copied_is_of_no_place() -> None:
    run = Run()
    run.kernel.open(run.pid, 1)
    run.sample()
    child = run.kernel.fork(run.pid, share=False)
    parent, run.pid = run.pid, child
    run.sample()
    assert run.count(What.HANDLES, "file", 4) is None
    run.pid = parent
    assert run.count(What.HANDLES, "file", 4) == 1


def test_kinds_are_counted_when_a_picture_has_shown_what_is_what() -> None:
    run = Run()
    run.kernel.open(run.pid, 1)
    run.sample()
    assert run.count(What.HANDLES, "file") is None
    run.kernel.picture(run.pid)
    run.kernel.pictures[-1].rows["kind"] = HandleKind.FILE
    run.sample()
    assert (run.count(What.HANDLES, "file"), run.count(What.HANDLES, "pipe")) == (1, 0)
    run.kernel.open(run.pid, 3)
    run.sample()  # births are seen: no picture is needed for one more
    assert run.count(What.HANDLES, "file") == 2


def test_sockets_that_wait_are_counted_by_state_at_every_picture() -> None:
    run = Run()
    for _ in range(3):
        run.kernel.open(run.pid, 1, BirthHow.ACCEPT)
    run.kernel.picture(run.pid)
    run.kernel.pictures[-1].rows["kind"] = HandleKind.SOCKET
    states = [SocketState.CLOSE_WAIT, SocketState.ESTABLISHED, SocketState.CLOSE_WAIT]
    run.kernel.pictures[-1].rows["state"] = states
    run.sample()
    number = run.found(What.HANDLES, "socket CLOSE_WAIT")
    assert number is not None
    assert number.count == 2
    run.sample()
    told = [row for row in run.rows if row["subject_id"] == number.subject_id]
    assert len(told) == 1  # nothing was looked at since


def test_samples_count_descriptors_threads_and_memory() -> None:
    run = Run()
    run.sample(fds=7, threads=3, rss_bytes=1000, native_bytes=200)
    assert run.count(What.HANDLES, "descriptors") == 7
    assert run.count(What.THREADS, "threads") == 3
    assert run.count(What.MEMORY, "resident") == 1000
    assert run.count(What.MEMORY, "C heap") == 200
    assert run.count(What.MEMORY, "mappings") is None  # not measured is not 0


def test_sampled_births_count_for_those_that_they_stand_for() -> None:
    run = Run()
    run.kernel.open(run.pid, 1)
    run.kernel.events[-1][1]["weight"] = 8
    run.sample()
    found = run.found(What.HANDLES, "file", 4)
    assert found is not None
    assert (found.count, found.seen) == (8, Seen.ESTIMATED)


def test_what_the_files_of_a_place_have_in_common_is_named() -> None:
    run = Run()
    table = run.kernel
    for number in range(3):
        table._born(run.pid, number, BirthHow.OPEN, 1, path=b"/tmp/upload-%d.part" % number)
    run.sample()
    subjects = run.ledger.populations.subjects.values()
    assert "file .part" in {one.type for one in subjects if one.site}


def test_a_group_says_what_went_through_its_place() -> None:
    run = Run()
    for stack in (1, 1, 2, 3):
        last = run.kernel.open(run.pid, stack)
    run.kernel.close(run.pid, last)
    run.kernel.close(run.pid, 0)
    run.sample()
    found = run.found(What.HANDLES, "file", 4)
    assert found is not None
    group = run.ledger.handle_group(run.pid, found.subject_id)
    assert (group.open, group.opened, group.closed) == (2, 3, 1)
    assert set(group.examples) == {"/tmp/1", "/tmp/2"}
    assert group.oldest_s is not None
    assert group.oldest_s >= (group.median_age_s or 0) > 0


def test_the_account_of_memory_says_what_each_part_has_grown_by() -> None:
    run = Run()
    run.sample(rss_bytes=1000, rss_anonymous_bytes=700)
    run.sample(rss_bytes=1500, rss_anonymous_bytes=900, native_bytes=300)
    run.sample(rss_bytes=1600, rss_anonymous_bytes=900, native_bytes=350)
    account = run.ledger.memory_account(run.pid)
    assert account is not None
    assert (account.resident.bytes, account.resident.added) == (1600, 600)
    assert (account.native.bytes, account.native.added) == (350, 50)
    assert (account.files.bytes, account.files.added) == (700, 400)
    assert account.stacks.bytes is None
