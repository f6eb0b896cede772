"""Survival against the textbook, written naively; and what it says of things that are forgotten."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memprobe.models.age import Curve, will_end, wilson
from memprobe.models.sketch import buckets, middles

AGES = st.floats(1e-3, 1e5)
LIFETIMES = st.lists(st.tuples(AGES, st.booleans(), st.just(0.0) | AGES), min_size=1, max_size=60)
UNKNOWN_LIFE_S = 60.0

Lifetimes = list[tuple[float, bool, float]]
"""Age, whether it is the end, and the age when first seen."""


def curve_of(lifetimes: Lifetimes) -> Curve:
    ages, ended, entered = (np.array(column) for column in zip(*lifetimes, strict=True))
    curve = Curve()
    curve.add(ages.astype(float), ended.astype(bool), entered.astype(float))
    return curve


def ended(*ages: float) -> Lifetimes:
    return [(age, True, 0.0) for age in ages]


def alive(*ages: float) -> Lifetimes:
    return [(age, False, 0.0) for age in ages]


def naive_survival(lifetimes: Lifetimes, age: float) -> float:
    """Kaplan and Meier with delayed entry, one lifetime at a time, on ages as coarse as the buckets."""
    coarse = [
        (int(buckets(np.array([one]))[0]), is_end, int(buckets(np.array([since]))[0]) if since > 0 else None)
        for one, is_end, since in lifetimes
    ]
    told = [one for one in coarse if one[2] is None or one[2] < one[0]]
    survival = 1.0
    for time in sorted({at for at, is_end, _ in told if is_end}):
        if time > int(buckets(np.array([age]))[0]):
            break
        at_risk = sum(1 for at, _, since in told if at >= time and (since is None or since < time))
        deaths = sum(1 for at, is_end, _ in told if is_end and at == time)
        survival *= 1 - deaths / at_risk
    return survival


@given(LIFETIMES, AGES)
def test_survival_is_kaplan_and_meiers(lifetimes: Lifetimes, age: float) -> None:
    share = curve_of(lifetimes).survival(age)
    assert share.value == pytest.approx(naive_survival(lifetimes, age), abs=1e-9)
    assert 0 <= share.low <= share.value <= share.high <= 1


@given(LIFETIMES, LIFETIMES)
def test_curves_of_parts_add_up(one: Lifetimes, other: Lifetimes) -> None:
    assert curve_of(one) + curve_of(other) == curve_of(one + other)


@given(st.lists(LIFETIMES, max_size=3), AGES)
def test_a_probability_lies_in_its_interval(lifetimes: list[Lifetimes], age: float) -> None:
    share = will_end([curve_of(one) for one in lifetimes], UNKNOWN_LIFE_S, age)
    assert 0 <= share.low <= share.value <= share.high <= 1


@given(LIFETIMES, AGES, st.floats(1.1, 1e3))
def test_the_older_the_less_likely_to_end(lifetimes: Lifetimes, age: float, factor: float) -> None:
    curve = curve_of([(one, is_end, 0.0) for one, is_end, _ in lifetimes])
    younger = will_end([curve], UNKNOWN_LIFE_S, age).value
    assert will_end([curve], UNKNOWN_LIFE_S, age * factor).value <= younger + 1e-9


def test_the_interval_covers_the_truth() -> None:
    """Of 300 censored samples of a known law it misses in about 15; 30 would be wrong."""
    random = np.random.default_rng(7)
    age, truth, missed = 10.0, float(np.exp(-float(middles(buckets(np.array([10.0])))[0]) / 10)), 0
    for _ in range(300):
        lives, seen = random.exponential(10, 80), random.uniform(1, 40, 80)
        curve = Curve()
        curve.add(np.minimum(lives, seen), lives <= seen)
        share = curve.survival(age)
        missed += not share.low <= truth <= share.high
    assert missed < 30


def test_left_truncation_is_not_survivorship() -> None:
    """Who is first seen at age 5 says nothing about those that ended before that."""
    random = np.random.default_rng(3)
    lives = random.exponential(4, 4000)
    entered = np.where(np.arange(4000) % 2 == 0, 0.0, 5.0)
    seen = lives > entered
    honest, naive = Curve(), Curve()
    honest.add(lives[seen], np.ones(int(seen.sum()), bool), entered[seen])
    naive.add(lives[seen], np.ones(int(seen.sum()), bool))
    truth = float(np.exp(-2 / 4))
    assert honest.survival(2.0).value == pytest.approx(truth, abs=0.03)
    assert naive.survival(2.0).value > truth + 0.05


def test_nothing_known_is_said_to_be_so() -> None:
    share = will_end([], UNKNOWN_LIFE_S, 60)
    assert share.value > 0.9
    assert share.high - share.low > 0.5
    assert will_end([], UNKNOWN_LIFE_S, 86_400).value < 0.1


def test_the_forgotten_ones_of_a_site_that_closes_quickly() -> None:
    curve = curve_of(ended(*[0.01] * 1000) + alive(*[60.0] * 30))
    share = will_end([curve], UNKNOWN_LIFE_S, 60)
    assert share.high < 0.5
    assert share.value < 0.1


def test_work_that_takes_longer_than_the_watch_is_not_forgotten() -> None:
    random = np.random.default_rng(3)
    birth, life = random.uniform(0, 60, 600), random.exponential(100, 600)
    curve = Curve()
    curve.add(np.minimum(life, 60 - birth), life < 60 - birth)
    assert will_end([curve], UNKNOWN_LIFE_S, 59).low > 0.5


def test_few_observations_leave_the_word_to_the_group() -> None:
    group = curve_of(ended(*np.random.default_rng(1).exponential(300, 2000)))
    few = curve_of(ended(0.01, 0.02))
    alone, in_group = (will_end(curves, UNKNOWN_LIFE_S, 600).value for curves in ([few], [group, few]))
    assert in_group > alone
    assert in_group > 0.9


def test_wilson_is_the_textbooks() -> None:
    share = wilson(0.1, 50)  # 5 of 50
    assert (share.low, share.high) == pytest.approx((0.0435, 0.2136), abs=1e-4)
