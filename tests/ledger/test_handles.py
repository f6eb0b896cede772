"""The ledger against a simple model of the kernel, on random streams of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.kernel_model import FIRST_TABLE, Kernel
from memprobe.abi import ProcessHow
from memprobe.ledger.entries import End, Mark
from memprobe.ledger.handles import HandleLedger
from memprobe.ledger.state import GRACE_NS
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch

EXAMPLES = 150

ACTIONS: dict[str, Callable[[Kernel, int, int, int, int], object]] = {
    "open": lambda kernel, pid, seed, _first, _second: kernel.open(pid, stack=1 + seed),
    "close": lambda kernel, pid, _seed, first, _second: kernel.close(pid, first),
    "dup": lambda kernel, pid, seed, first, second: kernel.dup_over(pid, first, 3 + 40 * second, 1 + seed),
    "range": lambda kernel, pid, _seed, first, second: kernel.close_range(pid, first, first + second),
    "wide": lambda kernel, pid, _seed, first, second: kernel.close_range(pid, first, 3 + 40 * second),
    "all": lambda kernel, pid, _seed, first, _second: kernel.close_range(pid, 2 + first, 0x7FFFFFFF),
    "fork": lambda kernel, pid, *_: len(kernel.table_of) < 6 and kernel.fork(pid, share=False),
    "share": lambda kernel, pid, *_: len(kernel.table_of) < 6 and kernel.fork(pid, share=True),
    "exec": lambda kernel, pid, _seed, first, _second: kernel.exec(pid, closing=2 + first),
    "unshare": lambda kernel, pid, *_: kernel.unshare(pid),
    "exit": lambda kernel, pid, *_: len(kernel.table_of) > 1 and kernel.exit(pid),
    "census": lambda kernel, pid, *_: kernel.census(pid),
    "picture": lambda kernel, pid, *_: kernel.picture(pid),
}

STEPS = st.lists(
    st.tuples(
        st.sampled_from([*ACTIONS, "batch", "open", "open", "open", "close"]),
        st.integers(0, 1 << 16),
        st.integers(0, 9),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    max_size=50,
)


def step(kernel: Kernel, ledger: HandleLedger, one: tuple[str, int, int, int, int]) -> None:
    """Let the kernel do one thing."""
    name, seed, first, second, lose = one
    pids = sorted(kernel.table_of)
    kernel.losing = kernel.losing and lose < 5
    if name == "batch":
        ledger.fold(kernel.batch())
    else:
        ACTIONS[name](kernel, pids[seed % len(pids)], seed, first, second)


def numbers(ledger: HandleLedger, pid: int) -> list[int]:
    return [int(number) for number in ledger.open(pid).rows["descriptor"]]


def births(ledger: HandleLedger, pid: int) -> dict[int, tuple[int, int]]:
    entries = ledger.open(pid).rows
    return {int(row["descriptor"]): (int(row["birth_ns"]), int(row["stack_id"])) for row in entries}


def begin(grace_ns: int = 0) -> tuple[Kernel, HandleLedger]:
    """One process whose empty table the ledger knows."""
    kernel, ledger = Kernel(), HandleLedger(grace_ns=grace_ns)
    kernel.census(kernel.process())
    ledger.fold(kernel.batch())
    return kernel, ledger


@settings(max_examples=EXAMPLES, deadline=None)
@given(STEPS)
def test_without_losses_the_ledger_is_the_truth_and_nothing_is_repaired(steps: list[Any]) -> None:
    kernel, ledger = begin()
    for one in steps:
        step(kernel, ledger, one)
    ledger.fold(kernel.batch())
    for pid, files in kernel.table_of.items():
        assert births(ledger, pid) == kernel.tables[files]
    assert ledger.processes() == set(kernel.table_of)
    assert ledger.evidence.repaired == 0


@settings(max_examples=EXAMPLES, deadline=None)
@given(STEPS, st.booleans(), st.lists(st.integers(0, 50), max_size=6), st.sampled_from([0, GRACE_NS]))
def test_after_losses_one_comparison_makes_the_ledger_the_truth(
    steps: list[Any], census: bool, losses: list[int], grace_ns: int
) -> None:
    kernel, ledger = begin(grace_ns)
    for place, one in enumerate(steps):
        kernel.losing |= place in losses
        step(kernel, ledger, one)
    kernel.losing = False
    kernel.now_ns += 2 * grace_ns
    for pid in kernel.table_of:
        if census or kernel.lost_processes:  # a picture does not say which table it is of
            kernel.census(pid)
    for pid in kernel.table_of:
        if not census:
            kernel.picture(pid)
    ledger.fold(kernel.batch())
    for pid, files in kernel.table_of.items():
        assert numbers(ledger, pid) == sorted(kernel.tables[files])
    assert kernel.lost or not ledger.evidence.repaired


def test_lifetimes_end_with_their_cause() -> None:
    kernel, ledger = begin()
    (pid,) = kernel.table_of
    for stack in range(1, 7):
        kernel.open(pid, stack)
    ledger.fold(kernel.batch())
    kernel.close(pid, 0)
    kernel.dup_over(pid, 2, 1, stack=8)
    kernel.exec(pid, closing=4)
    kernel.open(pid, 9)
    kernel.close(pid, 0)
    child = kernel.fork(pid, share=False)
    kernel.exit(child)
    kernel.exit(pid)
    finished = ledger.fold(kernel.batch())
    original = finished[(finished["marks"] & Mark.COPIED) == 0]
    assert {(int(row["stack_id"]), End(row["end"])) for row in original} == {
        (1, End.CLOSED), (2, End.REPLACED), (5, End.EXEC), (9, End.CLOSED), (3, End.EXIT), (4, End.EXIT),
        (6, End.EXIT), (8, End.EXIT),
    }  # fmt: skip
    assert (finished["end_ns"] > finished["birth_ns"]).all()
    assert not ledger.processes()


def test_the_table_of_a_thread_ends_with_its_last_thread_or_at_exec() -> None:
    for how in (ProcessHow.TABLE_END, ProcessHow.EXEC):
        kernel, ledger = begin()
        (pid,) = kernel.table_of
        kernel.open(pid, stack=1)
        ledger.fold(kernel.batch())
        own = FIRST_TABLE + 77
        processes = np.zeros(2, rows.PROCESS)
        processes["pid"], processes["tid"] = pid, pid + 1
        processes["time_ns"] = kernel.now_ns + 1, kernel.now_ns + 2
        processes["how"] = ProcessHow.UNSHARE, how
        processes["files"] = own, own if how == ProcessHow.TABLE_END else kernel.table_of[pid]
        processes["from_files"] = kernel.table_of[pid], 0
        end_ns = kernel.now_ns + 10
        ledger.fold(Batch("made", 0, end_ns, end_ns, processes=processes[:1]))
        assert numbers(ledger, pid) == [0, 0]
        ledger.fold(Batch("made", 0, end_ns, end_ns, processes=processes[1:]))
        assert numbers(ledger, pid) == [0]


def test_both_ends_of_a_wide_close_range_belong_to_it() -> None:
    kernel, ledger = begin()
    (pid,) = kernel.table_of
    for _ in range(40):
        kernel.open(pid, stack=1)
    kernel.close_range(pid, 5, 30)
    ledger.fold(kernel.batch())
    assert numbers(ledger, pid) == [*range(5), *range(31, 40)]


def test_a_process_that_unshares_has_only_its_own_table() -> None:
    kernel, ledger = begin()
    (pid,) = kernel.table_of
    kernel.open(pid, stack=1)
    child = kernel.fork(pid, share=True)
    kernel.unshare(child)
    kernel.open(child, stack=2)
    ledger.fold(kernel.batch())
    assert (numbers(ledger, pid), numbers(ledger, child)) == ([0], [0, 1])
    kernel.exit(pid)
    ledger.fold(kernel.batch())
    assert ledger.processes() == {child}


def test_what_a_child_has_of_a_parent_that_was_not_yet_counted_is_inherited() -> None:
    kernel, ledger = Kernel(), HandleLedger(grace_ns=0)
    pid = kernel.process()
    kernel.losing = True
    kernel.open(pid, stack=1)
    kernel.losing = False
    child = kernel.fork(pid, share=False)
    ledger.fold(kernel.batch())
    assert list(ledger.open(child).rows["marks"]) == [Mark.INHERITED]
    assert ledger.evidence.repaired == 0


def test_a_dup_is_not_what_its_source_became_later() -> None:
    kernel, ledger = begin()
    (pid,) = kernel.table_of
    kernel.open(pid, stack=1)
    kernel.dup_over(pid, 0, 9, stack=2)
    kernel.close(pid, 0)
    kernel.open(pid, stack=3)
    ledger.fold(kernel.batch())
    handles = ledger.open(pid)
    assert [handles.text(row) for row in range(2)] == ["/tmp/3", ""]
