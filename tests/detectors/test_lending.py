"""Holders with the course of the type of what they hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.made_up import grown, growth
from memprobe.detectors.lending import lent
from memprobe.vocab.subject import Subject, What

TYPE = replace(grown(1, count=1000), subject=Subject(What.TYPE, "app.Node"))
LATER = replace(growth(probability=0.2), points=2)


@pytest.mark.parametrize(
    ("held", "pid", "kind", "probability"),
    [
        (990, 7, "app.Node", 0.9),
        (500, 7, "app.Node", 0.2),
        (990, 8, "app.Node", 0.2),
        (990, 7, "app.Link", 0.2),
    ],
)
def test_who_holds_nearly_all_of_a_type_has_its_course(
    held: int, pid: int, kind: str, probability: float
) -> None:
    subject = Subject(What.HOLDER, kind, "app.Chain.last")
    holder = replace(grown(2, pid=pid, count=held, growth=LATER), subject=subject)
    first, second = lent((TYPE, holder))
    assert first == TYPE
    assert (second.subject, second.count, second.growth.probability) == (subject, held, probability)


def test_a_course_that_is_longer_is_kept() -> None:
    holder = replace(grown(2, count=990), subject=Subject(What.HOLDER, "app.Node", "app.Chain.last"))
    assert list(lent((replace(TYPE, growth=LATER), holder)))[1] == holder
