"""Objects that pile up in no collection: the line that makes them, as bursts have shown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from detectors.stories import FILE, OTHER_LINE, STACKS, Story
from memprobe.detectors.verdicts import Verdicts
from memprobe.ledger import Ledger
from memprobe.recording import RecordingReader, RecordingWriter
from memprobe.session.tracing import births_wanted
from memprobe.vocab.batch import Batch
from memprobe.vocab.finding import Finding
from memprobe.vocab.rows import CHANGE, WATCH
from memprobe.vocab.stack import own_frame
from memprobe.vocab.subject import Subject, What

SECOND = 1_000_000_000
CHAIN = Subject(What.HOLDER, "app.Link", "app.LAST")
OF_A_COLLECTION = Subject(What.CONTAINER, "app.Row", "app.ROWS")
KNOWN = Subject(What.GARBAGE, "app.Known", site=STACKS[FILE].frames)


@dataclass
class Kept(Story):
    """A story whose batches are kept."""

    batches: list[Batch] = field(default_factory=list)

    def _fold(self, batch: Batch) -> None:
        self.batches.append(batch)
        super()._fold(batch)


def run(seconds: int = 26, *, traced: bool) -> Kept:
    story = Kept()
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
    subject = next(iter(births_wanted(story.verdicts.grown, story.pid)))[1]
    tell(story, "object births", subject, {FILE: 900, OTHER_LINE: 100})


def watch(story: Story) -> None:
    """A watchpoint has shown the same of the collection."""
    (subject,) = (one.key[1] for one in story.verdicts.grown if one.subject == OF_A_COLLECTION)
    tell(story, "blame", subject, {OTHER_LINE: 700, FILE: 300})


def tell(story: Story, source: str, subject: int, made: dict[int, int]) -> None:
    begin_ns = 10 * SECOND
    watched = (begin_ns, 20 * SECOND, subject, story.pid, 40, 10 * SECOND, 10 * SECOND, 0, 0)
    changes = [(begin_ns, subject, stack, story.pid, 20, count, 0) for stack, count in made.items()]
    story._fold(
        replace(story._batch(source), watches=np.array([watched], WATCH), changes=np.array(changes, CHANGE))
    )


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


def replayed(path: Path, story: Kept) -> list[Finding]:
    """What a recording of a story comes to."""
    with RecordingWriter(path, {}) as writer:
        for batch in story.batches:
            writer.write(batch)
    ledger, verdicts = Ledger(), Verdicts(story.pid, story.config)
    with RecordingReader(path) as reader:
        for batch in iter(reader.poll, None):
            verdicts.fold(ledger, ledger.fold(batch), batch.samples)
    verdicts.settle(ledger)
    return list(verdicts.verdict.findings)


def test_a_replay_names_the_lines_that_the_run_named(tmp_path: Path) -> None:
    """Those of bursts and those of watchpoints, with all that is said of them."""
    story = run(traced=True)
    watch(story)
    story.tell()
    live = story.findings()
    named = {one.type: own_frame(one.site) for one in live}
    assert named["app.Link"] == own_frame(STACKS[FILE].frames)
    assert named["app.Row"] == own_frame(STACKS[OTHER_LINE].frames)
    assert replayed(tmp_path / "run.mprobe", story) == live
