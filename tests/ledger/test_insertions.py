"""Watches of containers become rates per line."""

from __future__ import annotations

import numpy as np
import pytest

from memprobe.abi import ProcessHow
from memprobe.ledger.insertions import MAX_CONTAINERS, InsertionLedger
from memprobe.vocab.rows import CHANGE, PROCESS, WATCH, Rows, no_rows
from memprobe.vocab.stack import Frame, Stack

KEY = (7, 3)
SECOND = 1_000_000_000
STACKS = {
    1: Stack((Frame("put", "app.py", 5), Frame("main", "app.py", 1)), True),
    2: Stack((Frame("drop", "app.py", 9), Frame("main", "app.py", 2)), True),
    3: Stack((Frame("_put", "/usr/lib/python3.11/queue.py", 200), Frame("put", "app.py", 5)), True),
}


def watch(begin_s: float, covered_s: float, stands_for_s: float, entries: tuple[int, int] = (0, 0)) -> Rows:
    begin_ns, covered_ns, stands_for_ns = (int(one * SECOND) for one in (begin_s, covered_s, stands_for_s))
    end_ns = begin_ns + max(covered_ns, SECOND // 10)
    return np.array([(begin_ns, end_ns, 3, 7, 10, covered_ns, stands_for_ns, *entries)], WATCH)


def changes(begin_s: float, *rows: tuple[int, int, int]) -> Rows:
    """Of stack: added and removed."""
    begin_ns = int(begin_s * SECOND)
    return np.array([(begin_ns, 3, stack, 7, 1, added, removed) for stack, added, removed in rows], CHANGE)


def moments(more: int, *rows: tuple[int, int, int]) -> list[tuple[Rows, Rows]]:
    """Watches of 10 ms in 0.1 s, in which the size grows by `more`; every fifth time it is emptied."""
    return [
        (watch(at, 0.01, 1, (5000, 0 if at % 5 == 4 else 5000 + more)), changes(at, *rows))
        for at in range(10)
    ]


def folded(*watches: tuple[Rows, Rows]) -> InsertionLedger:
    ledger = InsertionLedger()
    for seen, changed in watches:
        ledger.fold(seen, changed, no_rows(PROCESS))
    return ledger


def test_rates_by_line() -> None:
    filled = folded((watch(0, 2, 2), changes(0, (1, 240, 0), (2, 0, 158)))).filled(KEY, STACKS)
    assert filled is not None
    first, second = filled.flows
    assert (first.site[0].line, first.added_per_s, first.net_per_s) == (5, 120.0, 120.0)
    assert (second.site[0].line, second.removed_per_s, second.net_per_s) == (9, 79.0, -79.0)


def test_a_moment_speaks_for_the_time_since_the_one_before() -> None:
    """A slow second and a fast one count alike, however long each was watched."""
    slow = watch(0.0, 0.5, 1), changes(0.0, (1, 5, 0))
    fast = watch(1.9, 0.1, 1), changes(1.9, (2, 0, 100))
    filled = folded(slow, fast).filled(KEY, STACKS)
    assert filled is not None
    assert {flow.site[0].line: flow.net_per_s for flow in filled.flows} == {5: 5.0, 9: -500.0}


def test_the_size_says_how_much_a_slowed_target_really_did() -> None:
    filled = folded(*moments(1000, (1, 30, 0), (2, 10, 0))).filled(KEY, STACKS)
    assert filled is not None
    assert [flow.added_per_s for flow in filled.flows] == pytest.approx([7500.0, 2500.0])


def test_a_size_that_hardly_moves_corrects_nothing() -> None:
    filled = folded(*moments(1, (1, 30, 0), (2, 0, 30))).filled(KEY, STACKS)
    assert filled is not None
    assert filled.added_per_s == pytest.approx(3000.0)


def test_a_line_of_the_program_stands_for_the_library_that_it_calls() -> None:
    filled = folded((watch(0, 1, 1), changes(0, (1, 3, 0), (3, 7, 0)))).filled(KEY, STACKS)
    assert filled is not None
    assert [(flow.added_per_s, flow.site[0].function) for flow in filled.flows] == [(10.0, "_put")]


def test_another_program_begins_anew() -> None:
    ledger = folded((watch(0, 1, 1), changes(0, (1, 3, 0))))
    gone = np.zeros(1, PROCESS)
    gone["pid"], gone["how"] = 7, ProcessHow.EXEC
    ledger.fold(no_rows(WATCH), no_rows(CHANGE), gone)
    assert ledger.filled(KEY, STACKS) is None


def test_of_more_containers_than_there_is_room_for_the_latest_are_known() -> None:
    ledger = InsertionLedger()
    for number in range(MAX_CONTAINERS + 1):
        seen = watch(number, 1, 1)
        seen["subject_id"] = number
        ledger.fold(seen, no_rows(CHANGE), no_rows(PROCESS))
    assert ledger.filled((7, 0), STACKS) is None
    assert ledger.filled((7, MAX_CONTAINERS), STACKS) is not None


def test_hostile_rows_are_taken_for_what_they_are() -> None:
    seen = watch(0, 0, 0), changes(0, (1, 1 << 63, 1 << 62))
    assert folded(seen).filled(KEY, STACKS) is None
