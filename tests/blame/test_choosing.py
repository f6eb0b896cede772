"""Which containers a run wants to know about."""

from __future__ import annotations

import numpy as np

from memprobe.blame.choosing import MOST, Candidate, chosen
from memprobe.ledger import Ledger
from memprobe.vocab.rows import CHANGE, PROCESS, WATCH, no_rows

SECOND = 1_000_000_000


def candidate(number: int, probability: float = 0.5, per_s: float = 1.0) -> Candidate:
    return Candidate((7, number), probability, per_s, None)


def test_the_most_probable_leaks_come_first_and_not_too_many() -> None:
    several = [candidate(number, probability=0.2 + number / 100) for number in range(40)]
    assert chosen(several, Ledger(tree=False)) == [(7, number) for number in range(39, 39 - MOST, -1)]


def test_what_does_not_grow_is_of_no_interest() -> None:
    assert chosen([candidate(1, per_s=0.0), candidate(2, probability=0.01)], Ledger(tree=False)) == []


def test_of_whom_enough_is_known_is_not_watched_again() -> None:
    ledger = Ledger(tree=False)
    known = (0, 30 * SECOND, 1, 7, 500, 30 * SECOND, 30 * SECOND, 0, 500)
    seldom = (0, 30 * SECOND, 2, 7, 20, 30 * SECOND, 30 * SECOND, 0, 20)
    ledger.insertions.fold(np.array([known, seldom], WATCH), no_rows(CHANGE), no_rows(PROCESS))
    assert chosen([candidate(1), candidate(2), candidate(3)], ledger) == [(7, 2), (7, 3)]
