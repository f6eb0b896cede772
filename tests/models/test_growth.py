"""Whether a number grows for good: series with a known answer, and what must hold for every series."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from math import exp, isfinite, log, log10

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memprobe.models.growth import Growth, Known, Series, Shape
from memprobe.models.growth.history import History

NS = 1_000_000_000

Readings = list[tuple[int, float]]
"""Nanoseconds and value."""


def of(readings: Iterable[tuple[int, float]], **known: float) -> Growth:
    """What comes of these readings."""
    series = Series(Known(**known))  # type: ignore[arg-type]
    for time_ns, value in readings:
        series.add(time_ns, value)
    return series.growth()


def each_second(value: Callable[[int], float], seconds: int, every: int = 1) -> Readings:
    return [(second * NS, float(value(second))) for second in range(0, seconds, every)]


def leak(per_s: float, seed: int = 1) -> Callable[[int], float]:
    """A leak of so many a second, at random moments."""
    leaked = np.cumsum(np.random.default_rng(seed).exponential(1 / per_s, int(per_s * 1000)))
    return lambda second: float(np.searchsorted(leaked, second))


def noise(level: float, seed: int = 1) -> Callable[[int], float]:
    """So many in flight, give or take."""
    counts = np.random.default_rng(seed).poisson(level, 20_000)
    return lambda second: float(counts[second])


@st.composite
def all_readings(draw: st.DrawFn) -> Readings:
    """Anything that may be read: irregular times, and any values up to those of memory."""
    steps_ns = draw(st.lists(st.integers(1, 100 * NS), min_size=2, max_size=120))
    values = draw(st.lists(st.integers(0, 1 << 40), min_size=len(steps_ns), max_size=len(steps_ns)))
    times = np.cumsum(steps_ns).tolist()
    return list(zip(times, map(float, values), strict=True))


@pytest.mark.parametrize("per_s", [10, 30, 100, 1000])
def test_a_leak_without_a_fall_is_sure_within_twenty_seconds(per_s: int) -> None:
    growth = of(each_second(leak(per_s), 21))
    assert growth.shape is Shape.STEADY
    assert growth.probability >= 0.5
    assert growth.per_s == pytest.approx(per_s, rel=0.2)
    assert "without a fall" in growth.sentence


def test_five_looks_on_a_straight_line_are_enough() -> None:
    seconds, values = (5.9, 10.1, 14.3, 19.8, 25.9), (360, 549, 752, 1015, 1286)
    growth = of((round(second * NS), value) for second, value in zip(seconds, values, strict=True))
    assert growth.probability >= 0.5


@pytest.mark.parametrize(("per_s", "level", "seconds"), [(1, 50, 600), (10, 1000, 400), (100, 10_000, 200)])
def test_a_leak_under_noise_is_found(per_s: int, level: int, seconds: int) -> None:
    leaked, flying = leak(per_s), noise(level)
    growth = of(each_second(lambda second: leaked(second) + flying(second), seconds))
    assert growth.probability >= 0.5
    assert growth.per_s_low <= per_s * 1.1
    assert growth.per_s_high >= per_s * 0.9


def test_a_leak_that_begins_after_an_hour_is_found_and_dated() -> None:
    flying = noise(500)
    growth = of(each_second(lambda second: flying(second) + 10 * max(0, second - 3600), 3600 + 600))
    assert growth.probability >= 0.5
    assert growth.per_s == pytest.approx(10, rel=0.05)
    assert "began after 3" in growth.sentence


@pytest.mark.parametrize(("period_s", "within_s"), [(5, 30), (30, 150)])
def test_a_leak_in_batches_comes_in_steps(period_s: int, within_s: int) -> None:
    growth = of(each_second(lambda second: 500 * (second // period_s), within_s))
    assert growth.shape is Shape.STEPS
    assert growth.probability >= 0.5


def test_a_leak_under_the_teeth_of_a_saw_is_found() -> None:
    growth = of(each_second(lambda second: 10 * second + 100 * (second % 15), 1800))
    assert growth.probability >= 0.5


HEALTHY: dict[str, tuple[Callable[[int], float], int, Shape]] = {
    "still": (lambda _: 7, 60, Shape.FLAT),
    "noise": (noise(1000), 600, Shape.FLAT),
    "loaded once": (lambda second: 33_000 * min(max(second - 4, 0), 12), 120, Shape.ONE_OFF),
    "pool of 40": (lambda second: min(int(1.4 * second), 40), 80, Shape.BOUNDED),
    "full without a limit that is known": (lambda second: min(2000 * second, 30_000), 60, Shape.BOUNDED),
    "flushed every 20 s": (lambda second: 2000 * ((second + 7) % 20), 80, Shape.SAWTOOTH),
    "collected every 15 s": (lambda second: 300 * ((second + 3) % 15), 80, Shape.SAWTOOTH),
    "spike, not all given back": (
        lambda s: 1000 + 50_000 * (10 <= s < 20) + 3000 * (s >= 20),
        60,
        Shape.SPIKE,
    ),
    "warm-up": (lambda second: int(30_000 * (1 - exp(-second / 15))), 60, Shape.WARM_UP),
    "highest so far": (lambda second: int(5000 + 300 * log(1 + second)), 600, Shape.WARM_UP),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_what_is_healthy_has_its_shape_and_is_no_leak(name: str) -> None:
    value, seconds, shape = HEALTHY[name]
    growth = of(each_second(value, seconds))
    assert growth.shape is shape
    assert growth.probability < 0.25


def test_the_day_is_known_when_it_was_seen() -> None:
    rng = np.random.default_rng(1)
    sessions = [
        (second * NS, float(rng.poisson(1000 * (1 - 0.7 * np.cos(2 * np.pi * second / 86_400)))))
        for second in range(0, 3 * 86_400, 600)
    ]
    assert max(of(sessions[:until]).probability for until in range(5, len(sessions), 11)) < 0.5
    assert of(sessions).shape is Shape.DAY_CYCLE


def test_with_a_limit_it_warms_up_and_is_then_bounded() -> None:
    filling = each_second(lambda second: min(100 * second, 3000), 60)
    on_the_way, full = of(filling[:25], limit=3000), of(filling, limit=3000)
    assert (on_the_way.shape, full.shape) == (Shape.WARM_UP, Shape.BOUNDED)
    assert on_the_way.probability < 0.25
    assert full.probability == 0
    assert of(filling[:25]).probability >= 0.5  # without the limit nobody could know


def test_in_an_old_process_what_was_emptied_lately_needs_longer() -> None:
    since_start = [(second * NS, 10.0 * (7200 + second)) for second in range(20)]
    emptied = [(second * NS, 10.0 * (30 + second)) for second in range(20)]
    assert of(since_start, age_s=7200).probability >= 0.5
    assert of(emptied).probability >= 0.5
    assert of(emptied, age_s=7200).probability < 0.25


def test_a_worker_that_came_later_is_given_its_warm_up() -> None:
    grown = each_second(leak(10), 130)
    assert of(grown[:60], age_s=0).probability >= 0.5
    assert 0.2 < of(grown[:60], age_s=0, warm_up_s=120).probability < 0.5
    assert of(grown, age_s=0, warm_up_s=120).probability >= 0.5
    assert of(grown[:30], age_s=119, warm_up_s=120).probability >= 0.5, "it is over"


@pytest.mark.parametrize("age_s", [600, 1800, 5400])
def test_in_the_first_hours_what_grows_since_the_start_is_a_suspect_until_it_has_gone_on(age_s: int) -> None:
    """Sessions of an hour and the first tooth of a saw look the same; the suspect is told meanwhile."""
    waits_s = min(6 * (age_s - 120), 7200 - age_s)
    readings = [(second * NS, 10.0 * (age_s + second)) for second in range(0, waits_s + 20, 5)]
    before = [reading for reading in readings if 60 * NS < reading[0] < waits_s * NS]
    assert 0.3 < of(before[:12], age_s=age_s).probability < 0.5
    assert of(before, age_s=age_s).probability < 0.5
    assert of(readings, age_s=age_s).probability >= 0.5


@pytest.mark.parametrize(
    ("times", "is_sure"), [(0.8, True), (1.0, True), (1.25, True), (0.5, False), (2.0, False)]
)
def test_what_fits_the_age_of_the_process_has_grown_since_its_start(times: float, is_sure: bool) -> None:
    """Half as much as fits was emptied or began lately, twice as much once grew faster: both must go on."""
    readings = [(second * NS, 10.0 * (times * 7200 + second)) for second in range(25)]
    assert (of(readings, age_s=7200).probability >= 0.5) is is_sure


def test_a_first_reading_that_came_late_does_not_make_it_begin_later() -> None:
    readings = [(0, 5900.0), *((second * NS, 10.0 * (600 + second)) for second in range(1, 200))]
    growth = of(readings, age_s=600)
    assert "it began after" in growth.sentence
    assert 0.3 < growth.probability < 0.5


def test_among_many_series_more_evidence_is_needed() -> None:
    """Ville's inequality of each, added up: of a hundred processes one at most has such a series."""
    series, flying, leaked = Series(), noise(1000), leak(10)
    since: dict[int, int] = {}
    for second in range(600):
        series.add(second * NS, leaked(second) + flying(second))
        for among in (1, 10, 200, 4096):
            growth = series.growth(among=among)
            if growth.probability >= 0.5:
                assert growth.log10_evidence >= max(3.0, 2.0 + log10(among))
                since.setdefault(among, second)
    assert since[1] == since[10] < since[200] < since[4096]


def test_it_says_what_is_missing() -> None:
    assert of(each_second(leak(50), 10)).sentence.endswith("for too short a time to tell")
    assert of(each_second(lambda second: 2 * second, 40)).sentence.endswith("no more than a pool takes")


@settings(max_examples=50, deadline=None)
@given(all_readings(), st.integers(0, 1 << 60))
def test_the_time_of_the_day_does_not_matter(readings: Readings, shift_ns: int) -> None:
    assert of(readings) == of([(time_ns + shift_ns, value) for time_ns, value in readings])


@settings(max_examples=50, deadline=None)
@given(all_readings(), st.integers(-8, 8))
def test_units_do_not_matter(readings: Readings, power: int) -> None:
    """By powers of two nothing is rounded: the same answer to the last bit, in other units."""
    scale = 2.0**power
    one = of(readings)
    other = of([(time_ns, value * scale) for time_ns, value in readings], unit=scale)
    assert (other.shape, other.probability, other.log10_evidence) == (
        one.shape,
        one.probability,
        one.log10_evidence,
    )
    assert other.per_s == one.per_s * scale


@settings(max_examples=50, deadline=None)
@given(all_readings(), st.data())
def test_being_asked_changes_nothing(readings: Readings, data: st.DataObject) -> None:
    """However the readings are cut into batches, and however often anybody looks."""
    series = Series()
    for time_ns, value in readings:
        series.add(time_ns, value)
        if data.draw(st.booleans()):
            series.growth()
    assert series.growth() == of(readings)


@settings(max_examples=100, deadline=None)
@given(all_readings())
def test_every_answer_is_one(readings: Readings) -> None:
    growth = of(readings)
    assert 0 <= growth.probability <= 1
    assert growth.per_s_low <= growth.per_s <= growth.per_s_high
    assert all(map(isfinite, (growth.per_s_low, growth.per_s_high, growth.log10_evidence)))
    assert growth.added == readings[-1][1] - readings[0][1]


@pytest.mark.parametrize("per_s", [1, 7, 10, 500])
def test_the_longer_a_leak_goes_on_the_surer_it_is(per_s: int) -> None:
    readings = each_second(lambda second: per_s * second, 400)
    growths = [of(readings[:until]) for until in range(3, 400, 9)]
    for sooner, later in pairwise(growths):
        assert later.log10_evidence >= sooner.log10_evidence
        assert later.probability >= sooner.probability


@settings(max_examples=100, deadline=None)
@given(all_readings())
def test_a_few_pieces_or_what_has_fallen_as_deep_is_never_certain(readings: Readings) -> None:
    """The benchmark relies on it, and does not ask where it is so."""
    values = np.array([value for _, value in readings])
    deepest = (np.maximum.accumulate(values) - values).max()
    if of(readings).probability >= 0.5:
        assert values[-1] - values[0] >= max(100, 3 * deepest)


def test_times_that_go_back_are_passed_over() -> None:
    readings = each_second(leak(10), 30)
    jumped = [*readings[:10], (0, 1e9), (readings[9][0], 5.0), *readings[10:]]
    assert of(jumped) == of(readings)


def test_memory_grows_with_the_logarithm_of_the_readings() -> None:
    history, sizes = History(), {}
    for second in range(40_000):
        history.add(second * NS, float(second % 7))
        sizes[second] = len(history)
    assert sizes[9_999] < 180
    assert sizes[39_999] - sizes[9_999] <= 2 * 17
    assert history.past().points.sum() == 40_000


def test_walks_seldom_reach_the_evidence_that_they_may() -> None:
    """Ville's inequality: of 120 walks, asked after every step, at most 1 in E ever has evidence of E."""
    rng = np.random.default_rng(5)
    highest = []
    for _ in range(120):
        series, best = Series(), 0.0
        for second, value in enumerate(np.cumsum(rng.normal(0, 50, 32)).tolist()):
            series.add(second * NS, value)
            best = max(best, series.growth().log10_evidence)
        highest.append(best)
    for power in (0.5, 1.0, 1.5):
        # Three standard errors of the count are allowed on top of the bound.
        bound = 120 * 10.0**-power
        assert sum(best >= power for best in highest) <= bound + 3 * bound**0.5
