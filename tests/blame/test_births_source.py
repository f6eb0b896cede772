"""Births in `attach`: for whom they are traced, and what is told of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from memprobe.blame.births import ENOUGH, PATIENCE_NS, REST_NS, BirthSource
from memprobe.blame.survivors import Survivors, SurvivorSampling
from memprobe.models.survivors import Share
from memprobe.vocab.knobs import NOTHING, Knob

KEY = 7, 3
SECOND = 1_000_000_000


@dataclass
class Sampled:
    """A sampling that has found what a test says."""

    found: list[Survivors] = field(default_factory=list)
    reason: str = ""
    steps: int = 0
    begins: int = 0

    def prepare(self) -> bool:
        return not self.reason

    def begin(self, now_ns: int) -> None:
        self.begins += 1

    def step(self, now_ns: int) -> None:
        self.steps += 1

    def result(self, now_ns: int) -> list[Survivors]:
        return self.found

    def afford(self, budget_pct: float) -> None:
        pass


class Clock:
    """Stands for the time."""

    now_ns = 100 * SECOND

    def monotonic_ns(self) -> int:
        return self.now_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic_ns", made.monotonic_ns)
    return made


def source_on(sampled: Sampled) -> BirthSource:
    return BirthSource(cast(SurvivorSampling, sampled))


def survivors(stack: int, per_s: float, caught: int = 10, name: str = "app.Node") -> Survivors:
    rate = Share(per_s / 2, per_s, per_s * 2)
    return Survivors(stack, name, caught, rate, rate)


def told(source: BirthSource, clock: Clock, seconds: int) -> tuple[list[Any], list[Any]]:
    clock.now_ns += seconds * SECOND
    batch = source.poll()
    assert batch is not None
    return batch.watches.tolist(), batch.changes.tolist()


def test_nothing_is_traced_before_it_is_wanted(clock: Clock) -> None:
    sampled = Sampled()
    source = source_on(sampled)
    source.start()
    assert told(source, clock, 10) == ([], [])
    source.wish({KEY: "app.Node"})
    told(source, clock, 1)
    assert sampled.steps == 1


def test_what_was_told_adds_up_to_the_estimate_since_the_beginning(clock: Clock) -> None:
    sampled = Sampled()
    source = source_on(sampled)
    source.wish({KEY: "app.Node"})
    told(source, clock, 0)
    assert told(source, clock, 10) == ([], []), "nothing has survived yet"
    sampled.found = [survivors(5, 40.0), survivors(6, 4.0), survivors(9, 99.0, name="app.Other")]
    (first,), changes = told(source, clock, 10)
    assert (first[2], first[3], first[6]) == (3, 7, 20 * SECOND)
    assert [(row[2], row[5]) for row in changes] == [(5, 800), (6, 80)]
    sampled.found = [survivors(5, 30.0, caught=12)]
    (second,), ((_, _, stack, _, _, added, removed),) = told(source, clock, 20)
    assert (second[4], second[6]) == (0, 20 * SECOND)
    assert (stack, 800 + added - removed) == (5, 40 * 30)


def test_who_is_known_is_not_wanted_any_more(clock: Clock) -> None:
    sampled = Sampled([survivors(5, 40.0, caught=ENOUGH)])
    source = source_on(sampled)
    for _ in range(3):
        source.wish({KEY: "app.Node"})
        told(source, clock, 10)
    before = sampled.steps
    source.wish({KEY: "app.Node"})
    told(source, clock, 10)
    assert sampled.steps == before


def is_traced(source: BirthSource, sampled: Sampled, clock: Clock, *wanted: tuple[int, int]) -> bool:
    before = sampled.steps
    source.wish({key: "app.Node" if key == KEY else "app.Other" for key in wanted})
    told(source, clock, 1)
    return sampled.steps > before


def test_what_is_too_rare_is_given_up_and_what_grows_later_begins_anew(clock: Clock) -> None:
    sampled, later = Sampled(), (7, 4)
    source = source_on(sampled)
    assert is_traced(source, sampled, clock, KEY)
    clock.now_ns += PATIENCE_NS
    assert not is_traced(source, sampled, clock, KEY)
    assert is_traced(source, sampled, clock, KEY, later)
    assert sampled.begins == 2
    sampled.found = [survivors(5, 40.0)]
    (watch,), ((_, _, stack, _, _, added, _),) = told(source, clock, 10)
    assert (watch[6], stack, added) == (10 * SECOND, 5, 40 * 10), "of the time since it began anew"
    clock.now_ns += PATIENCE_NS
    assert not is_traced(source, sampled, clock, KEY, later)


def test_what_was_given_up_is_tried_again_after_a_rest(clock: Clock) -> None:
    sampled = Sampled()
    source = source_on(sampled)
    assert is_traced(source, sampled, clock, KEY)
    clock.now_ns += REST_NS - 2 * SECOND
    assert not is_traced(source, sampled, clock, KEY)
    clock.now_ns += 2 * SECOND
    assert is_traced(source, sampled, clock, KEY)
    assert sampled.begins == 2


def test_what_is_shed_or_impossible_is_not_traced(clock: Clock) -> None:
    sampled = Sampled()
    source = source_on(sampled)
    source.wish({KEY: "app.Node"})
    source.turn(Knob.BURSTS, NOTHING)
    told(source, clock, 10)
    assert sampled.steps == 0
    impossible = source_on(Sampled(reason="uprobes need x86-64"))
    impossible.wish({KEY: "app.Node"})
    batch = impossible.poll()
    assert batch is not None
    assert "uprobes need x86-64" in batch.invisible[0]
