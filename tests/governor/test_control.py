"""The control loop against simulated targets: it keeps the budget, the order and its calm."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from governor.worlds import World
from memprobe.governor.control import SLOWDOWN_SUSTAINED_NS, Limits
from memprobe.governor.ladder import ladder
from memprobe.vocab.knobs import Knob

RUNGS = len(ladder(Knob))
EVEN = [1 - 0.97 * position / RUNGS for position in range(RUNGS + 1)]
"""Each rung saves the same; the last leaves 3 %."""

remains = st.lists(st.floats(0, 1), min_size=RUNGS - 1, max_size=RUNGS - 1).map(
    lambda shares: [1.0, *sorted(shares, reverse=True), 0.0]
)
loads = st.lists(
    st.tuples(st.floats(1, 120), st.floats(0, 60)), min_size=1, max_size=8
)  # (seconds, slow-down in per cent)


def staircase(steps: list[tuple[float, float]], time_s: float) -> float:
    """The load at an instant; the last one lasts."""
    for seconds, load in steps:
        if time_s <= seconds:
            return load
        time_s -= seconds
    return steps[-1][1]


def test_a_cheap_target_keeps_everything() -> None:
    world = World(lambda _: 0.9, EVEN).run(3600)
    assert world.changes == 0


@pytest.mark.parametrize("load", [50.0, 100.0, 30.0])
@pytest.mark.parametrize("quiet_s", [0, 0.2, 3, 100])
def test_a_hostile_target_is_let_go_within_a_second(load: float, quiet_s: float) -> None:
    world = World(lambda time_s: load if time_s > quiet_s + 1e-6 else 0.01, EVEN).run(quiet_s + 1.0)
    started = round(quiet_s / 0.2)
    assert world.positions[-1] == RUNGS
    ticks = next(i for i, shed in enumerate(world.positions) if shed == RUNGS) - started + 1
    assert ticks <= (2 if load >= 50 else 3)


def test_a_hostile_target_comes_back_when_it_calms_down() -> None:
    world = World(lambda time_s: 60.0 if time_s < 20 else 0.2, EVEN).run(140)
    assert max(world.positions) == RUNGS
    assert world.positions[-1] == 0


def test_one_burst_that_the_bucket_holds_changes_nothing() -> None:
    world = World(lambda time_s: 6.0 if 10 < time_s < 10.7 else 0.1, EVEN).run(60)
    assert world.changes == 0


def test_just_over_the_limit_is_not_for_ever() -> None:
    world = World(lambda _: 1.05, EVEN).run(60)
    assert world.positions[-1] == 1
    assert world.longest_over(1.0) <= SLOWDOWN_SUSTAINED_NS / 1e9 + 1


def test_own_cpu_sheds_too_but_never_in_an_emergency() -> None:
    world = World(lambda _: 0.1, EVEN, cpu=lambda _: 60.0).run(300)
    steps = [after - before for before, after in zip(world.positions, world.positions[1:], strict=False)]
    assert max(world.positions) == RUNGS
    assert max(steps) <= 3


def test_ten_seconds_of_200_000_events_per_second_pass() -> None:
    """The steady state has a limit; a burst may take half a core (where the slow-down allows it)."""
    burst = World(lambda _: 0.1, EVEN, cpu=lambda time_s: 55.0 if 10 < time_s < 20 else 1.0).run(100)
    assert burst.changes == 0


@given(steps=loads, remaining=remains, activity=st.booleans())
@settings(max_examples=25, deadline=None)
def test_the_mean_keeps_the_budget(
    steps: list[tuple[float, float]], remaining: list[float], activity: bool
) -> None:
    """Over ten minutes of anything: the limit, the bucket, and the two checks in which each storm begins."""
    world = World(lambda time_s: staircase(steps, time_s), remaining, activity=activity).run(600)
    mean = sum(world.slowdowns) / len(world.slowdowns)
    trials = sum(after < before for before, after in zip(world.positions, world.positions[1:], strict=False))
    storms = len(steps) + trials
    assert mean <= 1.0 + (5.0 + storms * 2 * 0.2 * 60) / 600


@example(load=1.125, remaining=[1.0] * 3 + [0.0] * (RUNGS - 2), activity=False)
@given(load=st.floats(0, 100), remaining=remains, activity=st.booleans())
@settings(max_examples=25, deadline=None)
def test_never_over_the_budget_for_long(load: float, remaining: list[float], activity: bool) -> None:
    world = World(lambda _: load, remaining, activity=activity).run(300)
    assert world.longest_over(1.0) <= SLOWDOWN_SUSTAINED_NS / 1e9 + 1 + RUNGS * 1.2


@given(load=st.floats(0, 100), remaining=remains, activity=st.booleans())
@settings(max_examples=8, deadline=None)
def test_no_flapping(load: float, remaining: list[float], activity: bool) -> None:
    """An hour of constant load: it may try what it cannot know, ever more rarely."""
    world = World(lambda _: load, remaining, activity=activity).run(3600)
    assert world.changes <= RUNGS + 2 * 14


@given(load=st.floats(1.5, 100), remaining=remains, activity=st.booleans())
@settings(max_examples=8, deadline=None)
def test_it_recovers(load: float, remaining: list[float], activity: bool) -> None:
    """Two minutes of anything, then calm: all is back."""
    world = World(lambda time_s: load if time_s < 120 else 0.1, remaining, activity=activity).run(1000)
    assert world.positions[-1] == 0


@given(steps=loads, remaining=remains)
@settings(max_examples=8, deadline=None)
def test_the_same_samples_decide_the_same(steps: list[tuple[float, float]], remaining: list[float]) -> None:
    def run() -> World:
        return World(lambda time_s: staircase(steps, time_s), remaining).run(120)

    first, second = run(), run()
    assert first.positions == second.positions
    assert first.state == second.state


def test_a_generous_budget_sheds_nothing() -> None:
    world = World(lambda _: 60.0, EVEN, limits=Limits(slowdown_pct=100)).run(60)
    assert world.changes == 0


@pytest.mark.parametrize("limit", [0.0, -1.0])
def test_a_budget_must_be_above_zero(limit: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Limits(slowdown_pct=limit)
