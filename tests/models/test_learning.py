"""Experience moves a verdict, measurably and within its bounds; it hides nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memprobe.models.age import Curve
from memprobe.models.learning.defaults import EXTENSIONS, UNKNOWN, default_of
from memprobe.models.learning.habit import HALF_LIFE_S, Habit, merged, size_class
from memprobe.models.learning.normal import LEARNED_STEP, USUAL_STEP, Normal, log_odds
from memprobe.models.learning.opinion import Opinion, Verdict, faded
from memprobe.models.sketch import Sketch
from memprobe.vocab.sort import Sort

CONFIDENCES = st.floats(0.01, 0.99)
RUNS = st.floats(0, 100)
TEMPORARY, SOURCE, STRANGE = (Sort("file", group, "app/work.py:handle") for group in (".tmp", ".py", ".zzz"))
HANDLES = (TEMPORARY, SOURCE, STRANGE)


def curve_of(ended: list[float], alive: list[float]) -> Curve:
    curve = Curve()
    ages = np.array([*ended, *alive], float)
    curve.add(ages, np.arange(len(ages)) < len(ended))
    return curve


def told(*, closed: float = 0, kept: float = 0, sort: Sort = STRANGE) -> Normal:
    return Normal({one: Habit(runs=closed + kept, closed=closed, kept=kept) for one in sort.widths[1:]})


habits = st.builds(
    Habit,
    st.builds(
        curve_of, st.lists(st.floats(1e-3, 1e4), max_size=5), st.lists(st.floats(1e-3, 1e4), max_size=5)
    ),
    life_s=st.none() | st.floats(1e-3, 1e5),
    life_by_size=st.dictionaries(st.integers(0, 15), st.floats(1e-3, 1e5), max_size=3),
    runs=RUNS,
    closed=RUNS,
    kept=RUNS,
    right=RUNS,
    wrong=RUNS,
)


def test_there_are_defaults_for_more_than_fifty_extensions_and_none_for_the_unknown() -> None:
    assert len(EXTENSIONS) > 50
    assert default_of(STRANGE) is UNKNOWN
    assert Normal().weighed(0.8, STRANGE).confidence == pytest.approx(0.8)
    assert all(0 < default.kept < 1 and default.life_s > 0 for default in EXTENSIONS.values())


@pytest.mark.parametrize(
    ("sort", "sharper"),
    [(TEMPORARY, 1), (SOURCE, -1), (Sort("file", ".log"), -1), (Sort("socket", "listening:80"), -1)],
)
def test_a_default_moves_a_little_and_says_so(sort: Sort, sharper: int) -> None:
    weighed = Normal().weighed(0.8, sort)
    assert 0.1 < sharper * (log_odds(weighed.confidence) - log_odds(0.8)) <= 0.5 + 1e-9
    assert len(weighed.evidence) == 1


@given(CONFIDENCES, habits, st.sampled_from(HANDLES), st.none() | st.integers(0, 10**6))
def test_experience_never_changes_sides_or_hides(
    confidence: float, habit: Habit, sort: Sort, count: int | None
) -> None:
    weighed = Normal(dict.fromkeys(sort.widths, habit)).weighed(confidence, sort, count=count)
    assert (weighed.confidence >= 0.5) == (confidence >= 0.5)
    assert 0 < weighed.confidence < 1
    assert abs(log_odds(weighed.confidence) - log_odds(confidence)) <= LEARNED_STEP + USUAL_STEP + 1e-9


def test_runs_of_the_program_outweigh_what_was_assumed() -> None:
    seen = [told(closed=runs, sort=SOURCE).protection(SOURCE).score for runs in range(5)]
    assert seen == sorted(seen, reverse=True)
    assert seen[0] > 0.6
    assert seen[3] < 0.4
    kept = told(kept=3, sort=TEMPORARY).protection(TEMPORARY)
    assert kept.score > Normal().protection(TEMPORARY).score + 0.3
    assert kept.runs == 3
    assert "3 of 3 earlier runs" in kept.reason


def test_sites_of_the_same_extension_speak_for_one_that_is_new() -> None:
    new = Sort("file", ".zzz", "app/new.py:read")
    normal = told(kept=5, sort=Sort("file", ".zzz"))
    assert normal.protection(new).score > 0.7
    assert normal.protection(Sort("file", ".yyy", "app/new.py:read")).score == UNKNOWN.kept


def test_the_users_word_moves_most_and_may_change_sides() -> None:
    for key, finding, weakest in [("files-1", "files-1", 4), ("work.py:handle", "", 2.5), (".zzz", "", 1.5)]:
        wrong = Normal(opinions=(Opinion(key, Verdict.FALSE_POSITIVE, "a pool"),))
        right = Normal(opinions=(Opinion(key, Verdict.CONFIRMED),))
        calmer, sharper = (one.weighed(0.6, STRANGE, finding) for one in (wrong, right))
        assert log_odds(0.6) - log_odds(calmer.confidence) == pytest.approx(weakest)
        assert log_odds(sharper.confidence) - log_odds(0.6) == pytest.approx(weakest)
        assert calmer.evidence == (f"your word on {key} was false-positive: a pool",)
    assert calmer.confidence < 0.5


def test_the_most_exact_word_counts_and_of_several_the_last() -> None:
    opinions = (
        Opinion("handle", Verdict.FALSE_POSITIVE),
        Opinion(".zzz", Verdict.CONFIRMED),
        Opinion("handle", Verdict.CONFIRMED, "really"),
    )
    said = Normal(opinions=opinions).weighed(0.6, STRANGE).evidence
    assert said == ("your word on handle was confirmed: really",)
    assert Normal(opinions=opinions).weighed(0.6, Sort("file", "", "app/x.py:rehandle")).evidence == ()


def test_a_number_that_earlier_runs_reached_too_is_calmer() -> None:
    counts = Sketch()
    counts.add(np.array([900.0, 1000.0, 950.0]))
    cache = Sort("container", "dict", "app.CACHE")
    normal = Normal({cache: Habit(runs=3, counts=counts)})
    below, above = (normal.weighed(0.8, cache, count=count) for count in (800, 5000))
    assert below.confidence < 0.65
    assert "3 earlier runs" in below.evidence[0]
    assert above.confidence == pytest.approx(0.8)
    assert above.evidence == ()


def test_needed_is_what_will_be_closed_or_is_kept() -> None:
    leaky = Normal(live=dict.fromkeys(TEMPORARY.widths, curve_of([0.01] * 1000, [60.0] * 30)))
    assert leaky.needed(TEMPORARY, 60).high < 0.5
    assert "1,000 of this sort" in leaky.needed(TEMPORARY, 60).sentence
    assert Normal().needed(TEMPORARY, 5).probability > 0.9
    log = Sort("file", ".log", "app/log.py:open")
    assert Normal().needed(log, 86_400).probability > 0.8
    assert Normal().needed(TEMPORARY, 86_400).probability < 0.3


def test_earlier_runs_tell_that_old_ones_are_still_needed() -> None:
    """A connection that is recycled after ten minutes is no leak at five, once that has been seen."""
    pool = Sort("socket", "private:5432", "app/db.py:connect")
    live = dict.fromkeys(pool.widths, curve_of([0.5] * 20, [300.0] * 10))
    seen = {one: Habit(curve_of([0.5] * 60 + [600.0] * 60, [])) for one in pool.widths}
    assert Normal(seen, live=live).needed(pool, 300).low > Normal(live=live).needed(pool, 300).high


def test_large_files_may_live_longer() -> None:
    export = Sort("file", ".csv", "app/export.py:write")
    habit = Habit(life_by_size={size_class(1 << 30): 7200.0, size_class(1000): 1.0})
    normal = Normal({export: habit})
    large, small = (normal.needed(export, 3600, size_bytes=size).probability for size in (1 << 30, 1000))
    assert large > small + 0.1


@given(habits, habits)
def test_a_habit_is_merged_with_what_was_before(before: Habit, lesson: Habit) -> None:
    state = merged(json.loads(json.dumps(before.as_json())), lesson.as_json(), HALF_LIFE_S)
    after = Habit.from_json(state)
    assert after.runs == pytest.approx(before.runs / 2 + lesson.runs)
    assert after.curve.total == pytest.approx(before.curve.total / 2 + lesson.curve.total, abs=1e-3)
    if before.life_s is not None and lesson.life_s is not None:
        assert min(before.life_s, lesson.life_s) <= (after.life_s or 0) * (1 + 1e-12)
    assert merged(before.as_json(), Habit().as_json(), -1e9) == Habit.from_json(before.as_json()).as_json()


@pytest.mark.parametrize("damaged", [None, [], {"ended": 3}, {"runs": "x"}, {"life_by_size": {"a": 1}}, "x"])
def test_damage_is_forgotten_and_the_lesson_kept(damaged: object) -> None:
    assert merged(damaged, Habit(runs=1).as_json(), 0) == {"runs": 1.0}


@given(st.dictionaries(st.sampled_from(HANDLES), habits), st.lists(st.sampled_from(Verdict), max_size=3))
def test_what_is_normal_comes_back_from_a_recording(known: dict[Sort, Habit], words: list[Verdict]) -> None:
    normal = Normal(known, tuple(Opinion(".tmp", word, "said", 0.5) for word in words))
    again = Normal.from_json(json.loads(json.dumps(normal.as_json())))
    assert again.as_json() == normal.as_json()
    for sort in HANDLES:
        assert again.weighed(0.7, sort) == normal.weighed(0.7, sort)


def test_opinions_fade() -> None:
    assert faded(1.0, 365 * 86_400) == pytest.approx(0.5)
    assert faded(1.0, -5) == 1.0
