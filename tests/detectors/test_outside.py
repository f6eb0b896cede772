"""What is seen from outside alone: found all the same, never as surely, and the reason is said."""

from __future__ import annotations

import pytest

from detectors.stories import FILE, MIB, OBJECTS, Story
from memprobe.detectors.outside import MOST, WHY
from memprobe.vocab.finding import Finding

WATCHED_S = 40


def leaking(story: Story) -> Finding:
    story.attach()
    for _ in range(WATCHED_S):
        story.open(FILE, 10)
        story.tell()
    (found,) = story.sure()
    return found


def test_a_leak_that_only_proc_shows_is_told_with_less_confidence_and_why() -> None:
    found = leaking(Story(polled=True))
    assert found.confidence == MOST
    assert WHY in found.limits


@pytest.mark.parametrize(
    "story", [Story(polled=True, heap={OBJECTS: (1000, MIB)}), Story()], ids=["heap", "births"]
)
def test_where_more_is_seen_it_is_surer(story: Story) -> None:
    found = leaking(story)
    assert found.confidence > MOST
    assert WHY not in found.limits


def grown(per_s: int, story: Story) -> Story:
    story.attach()
    for second in range(3 * WATCHED_S):
        story.numbers["rss_bytes"] = story.numbers["rss_anonymous_bytes"] = 100 * MIB + per_s * second
        story.tell()
    return story


def test_memory_that_grows_unseen_has_its_pace_and_no_finding() -> None:
    verdict = grown(MIB, Story(polled=True)).verdicts.verdict
    assert verdict.memory == "growing"
    assert verdict.memory_why is not None
    assert "by 1,024 kB every second, for good with a confidence of 0.75 (at most 0.75" in verdict.memory_why
    assert verdict.findings == ()


def test_memory_that_stays_is_said_to_stay() -> None:
    assert grown(0, Story(polled=True)).verdicts.verdict.memory == "steady"
