"""Subjects and how many there are of them, as the ledger keeps them."""

from __future__ import annotations

import numpy as np
import pytest

from memprobe.abi import ProcessHow
from memprobe.ledger import Ledger, populations
from memprobe.ledger.populations import DERIVED, Populations
from memprobe.views.report import NOT_FOLLOWED, Run, document
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch
from memprobe.vocab.rows import NOT_MEASURED, Rows, no_rows
from memprobe.vocab.subject import Seen, Subject, What

CACHE = Subject(What.CONTAINER, type="app.Session", holder="app.SESSIONS")
SECOND = 1_000_000_000


def counted(*counts: tuple[int, int, int, int], pid: int = 7) -> Rows:
    """Rows from (time in seconds, subject, count, bytes)."""
    table = np.zeros(len(counts), rows.POPULATION)
    for row, (time_s, subject_id, count, size) in zip(table, counts, strict=True):
        row["time_ns"], row["subject_id"], row["pid"] = time_s * SECOND, subject_id, pid
        row["count"], row["bytes"], row["oldest_ns"] = count, size, NOT_MEASURED
    return table


def died(subject_id: int, pid: int = 7) -> Rows:
    table = counted((0, subject_id, NOT_MEASURED, NOT_MEASURED), pid=pid)
    table["flags"] = Seen.DIED
    return table


def test_the_newest_numbers_and_the_first() -> None:
    ledger = Populations()
    ledger.fold(counted((1, 1, 10, 100)), {1: CACHE})
    ledger.fold(counted((2, 1, 30, NOT_MEASURED)), {})
    one = ledger.get((7, 1))
    assert one is not None
    assert (one.first_ns, one.time_ns) == (SECOND, 2 * SECOND)
    assert (one.first_count, one.count, one.added) == (10, 30, 20)
    assert (one.first_bytes, one.bytes, one.oldest_ns) == (100, 100, None)


def test_bytes_that_are_measured_later_begin_there() -> None:
    ledger = Populations()
    ledger.fold(counted((1, 1, 10, NOT_MEASURED)), {1: CACHE})
    ledger.fold(counted((2, 1, 12, 500)), {})
    one = ledger.get((7, 1))
    assert one is not None
    assert (one.first_bytes, one.bytes) == (500, 500)


def test_what_nobody_described_is_not_followed() -> None:
    ledger = Populations()
    ledger.fold(counted((1, 1, 10, 0)), {2: CACHE})
    assert len(ledger) == 0


def test_a_subject_that_died_is_forgotten_and_may_come_anew() -> None:
    ledger = Populations()
    ledger.fold(counted((1, 1, 10, 0)), {1: CACHE})
    ledger.fold(died(1), {})
    assert (7, 1) not in ledger
    ledger.fold(counted((3, 1, 2, 0)), {})
    again = ledger.get((7, 1))
    assert again is not None
    assert again.first_count == 2


def test_a_number_stands_for_a_subject_in_each_process() -> None:
    ledger = Populations()
    ledger.fold(np.concatenate([counted((1, 1, 10, 0)), counted((1, 1, 20, 0), pid=8)]), {1: CACHE})
    assert sorted((one.pid, one.count) for one in ledger) == [(7, 10), (8, 20)]


@pytest.mark.parametrize("how", [ProcessHow.EXIT, ProcessHow.EXEC])
def test_the_end_of_a_program_is_the_end_of_its_subjects(how: ProcessHow) -> None:
    ledger = Ledger()
    both = np.concatenate([counted((1, 1, 10, 0)), counted((1, 1, 20, 0), pid=8)])
    ledger.fold(Batch("fake", 0, SECOND, populations=both, subjects={1: CACHE}))
    end = np.zeros(1, rows.PROCESS)
    end["pid"], end["how"], end["time_ns"] = 8, how, SECOND
    ledger.fold(Batch("fake", SECOND, 2 * SECOND, processes=end))
    assert [one.pid for one in ledger.populations] == [7]


def test_what_is_told_late_brings_no_process_back_to_life() -> None:
    ledger = Ledger()
    ledger.fold(Batch("fake", 0, SECOND, populations=counted((1, 1, 10, 0)), subjects={1: CACHE}))
    end = np.zeros(1, rows.PROCESS)
    end["pid"], end["how"], end["time_ns"] = 7, ProcessHow.EXIT, SECOND
    ledger.fold(Batch("fake", SECOND, 2 * SECOND, processes=end))
    news = ledger.fold(Batch("fake", 2 * SECOND, 3 * SECOND, populations=counted((1, 1, 11, 0))))
    assert len(ledger.populations) == len(news.populations) == 0


def test_the_newest_description_counts_and_rows_are_news() -> None:
    ledger = Ledger()
    first = counted((1, 1, 10, 0))
    news = ledger.fold(Batch("fake", 0, SECOND, populations=first, subjects={1: CACHE}))
    assert np.array_equal(news.populations, first)
    known = Subject(What.CONTAINER, type="app.Session", holder="app.SESSIONS", limit=5)
    ledger.fold(Batch("fake", SECOND, 2 * SECOND, subjects={1: known}))
    assert ledger.populations.subjects[1] == known


def test_a_target_that_makes_up_subjects_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(populations, "MAX_POPULATIONS", 4)
    ledger = Populations()
    for number in range(100):
        ledger.fold(counted((1, number, 1, 0)), {number: CACHE})
    assert (len(ledger), ledger.left_out) == (4, 96)
    assert len(ledger.subjects) <= 9


def test_that_not_all_is_followed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a dozen workers the last may have no room."""
    monkeypatch.setattr(populations, "MAX_POPULATIONS", 1)
    ledger, run = Ledger(), Run(7, {}, "", 1)
    for number, is_said in ((1, False), (2, True)):
        batch = Batch("heap", 0, SECOND, populations=counted((1, number, 1, 0)), subjects={number: CACHE})
        ledger.fold(batch)
        assert (NOT_FOLLOWED in document(ledger, run)["evidence"]["invisible"]) == is_said


def test_what_the_ledger_itself_has_described_is_known_to_the_processes_that_come_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(populations, "MAX_POPULATIONS", 4)
    ledger = Populations()
    place = DERIVED | 1
    ledger.fold(counted((1, place, 10, 0)), {place: Subject(What.HANDLES, "file")})
    end = np.zeros(1, rows.PROCESS)
    end["pid"], end["how"] = 7, ProcessHow.EXIT
    ledger.forget(end)
    for number in range(100):
        ledger.fold(no_rows(rows.POPULATION), {number: CACHE})
    ledger.fold(counted((2, place, 3, 0), pid=8), {})  # described once, for whoever opens there
    assert (8, place) in ledger
