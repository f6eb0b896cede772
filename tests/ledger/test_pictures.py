"""Censuses and pictures: what they find, what they leave alone, how it is marked and counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ledger.kernel_model import Kernel
from memprobe.ledger.entries import Mark
from memprobe.ledger.handles import HandleLedger
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch, Handles
from memprobe.vocab.kinds import HandleKind

SECOND_NS = 1_000_000_000
PID = 7


def picture(begin_ns: int, **shown: tuple[int, str]) -> Handles:
    """A picture of one millisecond; names are "fd3", values inode and text."""
    table = np.zeros(len(shown), rows.OPEN_HANDLE)
    table["descriptor"] = [int(name.removeprefix("fd")) for name in shown]
    table["inode"] = [inode for inode, _ in shown.values()]
    table["kind"] = HandleKind.FILE
    return Handles(PID, begin_ns, begin_ns + 1_000_000, table, tuple(text for _, text in shown.values()))


def polled(*pictures: Handles) -> HandleLedger:
    """A ledger without any source of events."""
    ledger = HandleLedger()
    for one in pictures:
        ledger.fold(Batch("procfs", one.begin_ns, one.end_ns, handles=(one,)))
    return ledger


def observed(kernel: Kernel, grace_ns: int = 0) -> tuple[HandleLedger, int]:
    """A ledger that knows one process with no descriptors."""
    ledger = HandleLedger(grace_ns=grace_ns)
    pid = kernel.process()
    kernel.census(pid)
    ledger.fold(kernel.batch())
    return ledger, pid


def test_without_probes_the_first_picture_is_inherited_and_the_next_are_polls() -> None:
    ledger = polled(
        picture(SECOND_NS, fd3=(10, "/a"), fd4=(11, "/b")),
        picture(2 * SECOND_NS, fd3=(10, "/a"), fd5=(12, "/c")),
    )
    handles = ledger.open(PID)
    assert [handles.text(row) for row in range(2)] == ["/a", "/c"]
    assert list(handles.rows["marks"]) == [Mark.INHERITED, Mark.POLLED]
    assert list(handles.rows["birth_ns"]) == [0, 0]
    assert (ledger.evidence.repaired, ledger.evidence.polled) == (0, 2)


def test_another_inode_is_another_handle() -> None:
    ledger = polled(picture(SECOND_NS, fd3=(10, "/a")), picture(2 * SECOND_NS, fd3=(99, "/z")))
    handles = ledger.open(PID)
    assert handles.text(0) == "/z"
    assert handles.rows["seen_ns"][0] > 2 * SECOND_NS
    assert ledger.evidence.polled == 2


def test_a_picture_waits_for_the_events_before_it() -> None:
    kernel = Kernel()
    ledger, pid = observed(kernel)
    kernel.open(pid, stack=1)
    kernel.picture(pid)
    late = kernel.batch()
    ledger.fold(Batch("procfs", late.begin_ns, late.end_ns, handles=late.handles))
    assert not len(ledger.open(pid).rows)
    ledger.fold(replace(late, handles=()))
    handles = ledger.open(pid)
    assert handles.rows["stack_id"][0] == 1
    assert handles.text(0) == "stack 1"
    assert ledger.evidence.repaired == 0


def test_descriptors_that_change_during_a_picture_are_left_alone() -> None:
    kernel = Kernel()
    ledger, pid = observed(kernel)
    closed = kernel.open(pid, stack=1)
    begin_ns = kernel.now_ns
    kernel.close(pid, closed)
    kernel.open(pid, stack=2)
    kernel.open(pid, stack=3)
    shown = np.zeros(1, rows.OPEN_HANDLE)  # the walk saw the first one before it was closed
    old = Handles(pid, begin_ns, kernel.now_ns, shown, ("stack 1",))
    ledger.fold(replace(kernel.batch(), handles=(old,)))
    assert list(ledger.open(pid).rows["stack_id"]) == [2, 3]
    assert ledger.evidence.repaired == 0


def test_a_picture_from_before_an_exec_says_nothing() -> None:
    kernel = Kernel()
    ledger, pid = observed(kernel)
    begin_ns = kernel.now_ns
    kernel.open(pid, stack=1)
    kernel.exec(pid, closing=1)
    shown = np.zeros(1, rows.OPEN_HANDLE)
    ledger.fold(replace(kernel.batch(), handles=(Handles(pid, begin_ns, begin_ns + 1, shown, ("x",)),)))
    assert not len(ledger.open(pid).rows)
    assert ledger.evidence.outdated == 1


def test_a_birth_that_comes_after_its_census_is_no_repair() -> None:
    kernel = Kernel()
    ledger, pid = observed(kernel, grace_ns=1_000_000)
    kernel.open(pid, stack=5)
    (birth,) = kernel.events
    kernel.events = []
    kernel.census(pid)
    ledger.fold(kernel.batch())
    assert ledger.evidence.repaired == 1
    birth[1]["time_ns"] = kernel.now_ns
    kernel.events = [birth]
    ledger.fold(kernel.batch())
    assert ledger.evidence.repaired == 0
    assert list(ledger.open(pid).rows["stack_id"]) == [5]


def test_a_close_under_way_is_not_undone_by_a_census() -> None:
    kernel = Kernel()
    ledger, pid = observed(kernel, grace_ns=1_000_000)
    number = kernel.open(pid, stack=5)
    table = dict(kernel.tables[kernel.table_of[pid]])
    kernel.close(pid, number)
    kernel.tables[kernel.table_of[pid]] = table  # the bit is still set when the census comes by
    kernel.census(pid)
    ledger.fold(kernel.batch())
    assert not len(ledger.open(pid).rows)
    assert ledger.evidence.repaired == 0


def test_lost_deaths_show_when_the_number_is_born_again() -> None:
    kernel = Kernel()
    ledger, pid = observed(kernel)
    number = kernel.open(pid, stack=5)
    kernel.losing = True
    kernel.close(pid, number)
    kernel.losing = False
    kernel.open(pid, stack=6)
    finished = ledger.fold(kernel.batch())
    assert list(finished["stack_id"]) == [5]
    assert list(ledger.open(pid).rows["stack_id"]) == [6]
    assert ledger.evidence.repaired == 1


def test_children_that_are_not_observed_get_no_table() -> None:
    kernel, ledger = Kernel(), HandleLedger(tree=False)
    pid = kernel.process()
    kernel.open(pid, stack=1)
    kernel.census(pid)
    kernel.fork(pid, share=False)
    ledger.fold(kernel.batch())
    assert ledger.processes() == {pid}


def test_a_dup_is_what_it_is_a_dup_of() -> None:
    kernel = Kernel()
    ledger, pid = observed(kernel)
    kernel.open(pid, stack=1)
    kernel.dup_over(pid, 0, 9, stack=2)
    ledger.fold(kernel.batch())
    handles = ledger.open(pid)
    assert list(handles.rows["kind"]) == [HandleKind.FILE, HandleKind.FILE]
    assert handles.text(1) == "/tmp/1"


def test_texts_survive_their_compaction() -> None:
    kernel = Kernel()
    ledger, pid = observed(kernel)
    kernel.open(pid, stack=1)
    for _ in range(40):
        shown = np.zeros(1000, rows.OPEN_HANDLE)
        shown["descriptor"] = np.arange(1000)
        texts = tuple(f"a text of some length, number {number}" for number in range(1000))
        kernel.now_ns += 1000
        kernel.pictures = [Handles(pid, kernel.now_ns, kernel.now_ns, shown, texts)]
        ledger.fold(kernel.batch())
    handles = ledger.open(pid)
    assert [handles.text(row) for row in range(1000)] == list(texts)
    assert handles.texts.used_bytes < 1_300_000
