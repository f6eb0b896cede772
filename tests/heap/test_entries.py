"""What the entries of a collection tell: whether its keys can come again, and which is the first."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from memprobe.heap.reaching import reached
from memprobe.heap.subjects.counted import Counted
from memprobe.heap.subjects.entries import LEAST, of_texts, rise
from memprobe.heap.subjects.surveyor import Surveyor
from memprobe.vocab.subject import KEYS_AT_RANDOM, KEYS_RISE, What
from pythons import Interpreter


def surveyed(pid: int) -> dict[str, Counted]:
    """The collections of the main module by name."""
    with reached(pid) as target:
        assert target.python is not None
        found = list(Surveyor(target.process, target.python).survey())
    return {
        one.subject.holder.removeprefix("__main__."): one
        for one in found
        if one.subject.what is What.CONTAINER
    }


@pytest.mark.few_interpreters
def test_keys_that_never_come_again(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "keyed.py") as target:
        notes = {holder: one.subject.notes for holder, one in surveyed(target.pid).items()}
    assert notes["ORDERS"] == notes["SESSIONS"] == (KEYS_RISE,)
    assert notes["TRACES"] == notes["SPANS"] == (KEYS_AT_RANDOM,)
    others = ("WORDS", "PRODUCTS", "BY_ID", "FEW", "MIXED", "ROWS", "JOBS")
    assert {name: notes[name] for name in others} == dict.fromkeys(others, ())


@pytest.mark.few_interpreters
def test_the_first_entry_is_known_again(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "keyed.py") as target:
        before = surveyed(target.pid)
        target.ask("on")
        after = surveyed(target.pid)
    firsts = {holder: (before[holder].first, one.first) for holder, one in after.items() if holder in before}
    stayed = {name for name, (one, other) in firsts.items() if one is not None and one == other}
    assert {"JOBS", "SESSIONS", "WORDS"} <= stayed
    assert {"ROWS", "ORDERS"}.isdisjoint(stayed)


def test_numbers_that_rise() -> None:
    assert rise(range(LEAST))
    assert not rise(range(LEAST - 1))
    assert not rise([number % 20 for number in range(100)])
    assert not rise(range(0, 16 * LEAST, 16))


@pytest.mark.parametrize(
    ("texts", "note"),
    [
        ([f"req-{number}" for number in range(64)], KEYS_RISE),
        ([f"2026-11-22/{number:06}.tmp" for number in range(64)], KEYS_RISE),
        ([f"GET /users/{number * 7919 % 64}" for number in range(64)], None),
        ([chr(97 + number % 26) * number for number in range(64)], None),
        ([uuid.UUID(int=number << 80 | 4 << 76 | 8 << 60).hex for number in range(64)], KEYS_AT_RANDOM),
        ([uuid.UUID(int=number << 80 | 5 << 76 | 8 << 60).hex[::-1] for number in range(64)], None),
        ([], None),
        (["a#"] * 40 + ["a1"], None),
        (["a#1"] * 40 + ["a1#"], None),
    ],
)
def test_texts_as_keys(texts: list[str], note: str | None) -> None:
    assert of_texts(texts) == note
