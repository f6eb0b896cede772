"""How long the oldest entries of collections have been there, at the least."""

from __future__ import annotations

from memprobe.heap.looker.ages import Ages


def test_an_entry_that_stays_first_becomes_older() -> None:
    ages = Ages()
    assert ages.looked([("a", 64, 10, 100)]) == {}
    ages.has_length("a", 12, 150)
    assert ages.looked([("a", 64, 20, 300)]) == {"a": 200}
    assert ages.looked([("a", 64, 30, 400), ("b", 8, 1, 400)]) == {"a": 300}


def test_another_first_entry_is_a_new_one() -> None:
    ages = Ages()
    ages.looked([("a", 64, 10, 100)])
    assert ages.looked([("a", 128, 20, 200)]) == {}
    assert ages.looked([("a", 128, 20, 300)]) == {"a": 100}


def test_what_became_shorter_may_have_been_emptied() -> None:
    ages = Ages()
    ages.looked([("a", 64, 10, 100), ("b", 64, 10, 100)])
    ages.has_length("a", 0, 150)
    ages.has_length("a", 40, 160)
    assert ages.looked([("a", 64, 50, 200), ("b", 64, 9, 200)]) == {"a": 50}


def test_a_look_is_told_when_it_is_over() -> None:
    """Meanwhile lengths were read, and a collection that grows had more than the look has counted."""
    ages = Ages()
    ages.looked([("a", 64, 10, 100)])
    ages.has_length("a", 40, 220)
    assert ages.looked([("a", 64, 30, 200)]) == {"a": 100}


def test_what_was_not_seen_is_forgotten() -> None:
    ages = Ages()
    ages.looked([("a", 64, 10, 100), ("b", 64, 10, 100)])
    ages.looked([("b", None, 10, 200)])
    ages.has_length("c", 5, 250)
    assert ages.looked([("a", 64, 10, 300), ("b", 64, 10, 300), ("c", 64, 5, 300)]) == {}
