"""Whose turn it is at the debug registers."""

from __future__ import annotations

import pytest

from memprobe.blame.turns import BURST, SLICE, STEADY, Chance, Turns, is_burst

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("hits", "how"), [(0, STEADY), (40, STEADY), (200, SLICE), (900, SLICE), (5_000, BURST)]
)
def test_how_a_container_is_watched_follows_from_its_hits(hits: int, how: object) -> None:
    turns = Turns()
    turns.learn(hits, SECOND)
    assert turns.next(allowed_per_s=100.0) is how


def test_who_can_afford_all_hits_has_them() -> None:
    turns = Turns()
    turns.learn(5_000, SECOND)
    assert turns.next(allowed_per_s=10_000.0) is STEADY


def test_what_is_not_known_begins_with_few_hits() -> None:
    assert Turns().next(allowed_per_s=100.0) is BURST
    assert Turns().expected_hits(BURST, SECOND) == BURST.limit


@pytest.mark.parametrize("rate", [200, 900, 1_000_000])
def test_hits_stay_within_what_is_allowed(rate: int) -> None:
    turns, chance, allowed = Turns(), Chance(1), 100.0
    turns.learn(rate, SECOND)
    spent = 0.0
    for _ in range(20_000):  # of 0.1 s
        how = turns.next(allowed)
        if chance.comes(turns.expected_hits(how, SECOND // 10), SECOND // 10, allowed):
            spent += min(how.limit, rate * 0.1)
    assert spent / 2_000 <= 1.1 * allowed


def test_the_same_seed_takes_the_same_chances() -> None:
    one, other = Chance(3), Chance(3)
    assert [one.comes(48, SECOND // 10, 100.0) for _ in range(50)] == [
        other.comes(48, SECOND // 10, 100.0) for _ in range(50)
    ]


def test_a_steady_watch_that_meets_a_burst_ends() -> None:
    assert not is_burst(150, allowed_per_s=100.0)
    assert is_burst(1_000, allowed_per_s=100.0)
