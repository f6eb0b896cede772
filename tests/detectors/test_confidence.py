"""How signs move a probability, and how often a course is judged."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.made_up import SECOND, growth
from memprobe.detectors import courses
from memprobe.detectors.confidence import CERTAIN, Sign, calibrated, confidence
from memprobe.detectors.courses import Course
from memprobe.models.growth.needs import SUSPECT, Known
from memprobe.vocab.subject import Subject, What


@pytest.mark.parametrize("sign", Sign)
def test_a_sign_moves_the_odds_by_its_weight_in_one_direction(sign: Sign) -> None:
    moved = confidence(0.5, sign)
    assert (moved > 0.5) == (sign.weight > 0)
    assert confidence(0.2, sign) < moved


def test_without_signs_it_is_the_probability_and_never_certain() -> None:
    assert confidence(0.7) == pytest.approx(0.7)
    assert confidence(0.0, *Sign) == 0.0
    assert confidence(1.0, Sign.UNREACHABLE, Sign.OLD) == CERTAIN
    assert confidence(0.9, Sign.LIMITED) < 0.5


def test_what_time_alone_does_not_tell_the_structure_may() -> None:
    """What grows since the start of its process: data stays a suspect, descriptors and tasks do not."""
    suspect = SUSPECT / (1 + SUSPECT)
    assert 0.4 < confidence(suspect) < 0.5
    assert confidence(suspect, Sign.NOT_DATA) >= 0.5
    assert confidence(suspect, Sign.UNREACHABLE) >= 0.5
    assert confidence(suspect, Sign.RECYCLED) < 0.25


class Counting:
    """Instead of a series: how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.points = 0

    def add(self, time_ns: int, value: float) -> None:
        self.points += 1

    def growth(self, *, among: int) -> Any:
        self.asked += 1
        return growth(probability=0.0)


@pytest.mark.parametrize(("per_s", "most", "least"), [(0, 40, 5), (1, 900, 700)], ids=["at rest", "moving"])
def test_a_course_is_judged_seldom_once_it_is_long(
    monkeypatch: pytest.MonkeyPatch, per_s: int, most: int, least: int
) -> None:
    """Of 3600 points at one a second: a number that rests some times, one that moves every five seconds."""
    series: list[Counting] = []

    def made(known: Known) -> Counting:
        series.append(Counting())
        return series[-1]

    monkeypatch.setattr(courses, "Series", made)
    course = Course(Subject(What.CONTAINER), 0, None)
    for second in range(1, 3601):
        course.add(second * SECOND, 10 + per_s * second)
        course.growth()
    assert series[0].points == 3600
    assert least <= series[0].asked <= most


def test_a_point_that_is_not_later_says_nothing() -> None:
    course = Course(Subject(What.CONTAINER), 0, None)
    for second in (5, 5, 4, 6):
        course.add(second * SECOND, second)
    assert course.growth().points == 2


def test_calibration_makes_no_finding_of_a_suspect_nor_the_other_way_round() -> None:
    sure = [number / 100 for number in range(101)]
    told = [calibrated(one) for one in sure]
    assert told == sorted(told)
    assert told[:51] == sure[:51]
    assert 0.6 < calibrated(0.6) < calibrated(0.9) < calibrated(1.0) == CERTAIN
