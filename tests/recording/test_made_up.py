"""Whatever stands in the batches of a recording that somebody has made up: it is folded, judged and shown."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from memprobe.detectors.verdicts import Verdicts
from memprobe.experience import Experience
from memprobe.ledger import Ledger
from memprobe.session import fold
from memprobe.session.folding import run_of
from memprobe.views import html, plain, report_page
from memprobe.views.history import History
from memprobe.views.live_frame import State, frame
from memprobe.views.machines import openmetrics, pprof, sarif
from memprobe.views.report import document
from memprobe.views.story import Story
from memprobe.vocab.batch import Batch
from recording.made_batches import batches
from recording.writing import FACTS, PID

TABLES = ("births", "deaths", "processes", "tables", "growth", "samples", "populations", "changes")


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(batches(), min_size=1, max_size=4), st.booleans())
def test_any_batches_make_a_report(found: list[Batch], is_of_one_process: bool) -> None:
    ledger, history = Ledger(), History()
    verdicts, experience = Verdicts(PID), Experience(PID)
    for batch in found:
        for name in TABLES if is_of_one_process else ():
            getattr(batch, name)["pid"] = PID
        fold(ledger, batch, PID, experience, verdicts, history)
    verdicts.settle(ledger)
    story = Story(document(ledger, run_of(dict(FACTS), verdicts.verdict)), ledger, history)
    assert plain.paint(report_page.page(story.document)).startswith("pid 7: ")
    assert html.render(story).startswith(b"<!DOCTYPE html>")
    assert len(frame(story, State(), 80, 24)) <= 24
    for machine in (openmetrics, pprof, sarif):
        assert machine.render(story.document)
