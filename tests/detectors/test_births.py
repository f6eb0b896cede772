"""Objects that pile up in no collection: the line that makes them, as bursts have shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from detectors.stories import FILE, OTHER_LINE, STACKS, Story
from memprobe.session.tracing import births_wanted
from memprobe.vocab.rows import CHANGE, WATCH
from memprobe.vocab.stack import own_frame
from memprobe.vocab.subject import Subject, What

SECOND = 1_000_000_000
CHAIN = Subject(What.HOLDER, "app.Link", "app.LAST")
OF_A_COLLECTION = Subject(What.CONTAINER, "app.Row", "app.ROWS")
KNOWN = Subject(What.GARBAGE, "app.Known", site=STACKS[FILE].frames)


def run(seconds: int = 26, *, traced: bool) -> Story:
    story = Story()
    story.attach()
    for second in range(seconds):
        grown = (100 * second, 8_000 * second)
        story.heap = dict.fromkeys((CHAIN, OF_A_COLLECTION, KNOWN), grown)
        story.tell()
        if traced and second == 20:
            trace(story)
    return story


def trace(story: Story) -> None:
    """Bursts have shown, for 10 s, that most were made by one stack and some by another."""
    begin_ns, subject = 10 * SECOND, next(iter(births_wanted(story.verdicts.grown, story.pid)))[1]
    watch = (begin_ns, 20 * SECOND, subject, story.pid, 40, 10 * SECOND, 10 * SECOND, 0, 0)
    made = [(FILE, 900), (OTHER_LINE, 100)]
    changes = [(begin_ns, subject, stack, story.pid, 20, count, 0) for stack, count in made]
    batch = replace(
        story._batch("object births"), watches=np.array([watch], WATCH), changes=np.array(changes, CHANGE)
    )
    story._fold(batch)


def test_they_are_asked_for_where_no_line_is_known_and_no_collection_grows() -> None:
    story = run(traced=False)
    assert list(births_wanted(story.verdicts.grown, story.pid).values()) == ["app.Link"]
    assert births_wanted(story.verdicts.grown, story.pid + 1) == {}


def test_the_finding_has_the_line_that_makes_most_of_them() -> None:
    (before,) = (one for one in run(traced=False).findings() if one.type == "app.Link")
    (found,) = (one for one in run(traced=True).findings() if one.type == "app.Link")
    assert before.site == ()
    assert own_frame(found.site) == own_frame(STACKS[FILE].frames)
    assert any("90/s" in one and "10/s" in one and "40 were traced" in one for one in found.evidence)
