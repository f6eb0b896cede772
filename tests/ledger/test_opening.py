"""A ledger that begins with the opening of another one goes on as that one does."""

from __future__ import annotations

import numpy as np
import pytest

from memprobe.ledger import Ledger
from memprobe.ledger.entries import Mark
from memprobe.ledger.opening import opening
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch, Handles
from memprobe.vocab.subject import Subject, What
from recording.test_replay import run

SAME = ["descriptor", "birth_ns", "stack_id", "how", "weight", "inode", "kind"]


def begun(ledger: Ledger) -> Ledger:
    """A ledger that knows nothing but the opening."""
    again = Ledger()
    again.fold(opening(ledger))
    return again


@pytest.mark.parametrize("seed", range(4))
def test_what_is_open_goes_on(seed: int) -> None:
    whole, batches = Ledger(), run(seed)
    for batch in batches[:10]:
        whole.fold(batch)
    part = begun(whole)
    for batch in batches[10:]:
        whole.fold(batch)
        part.fold(batch)
    assert whole.handles.processes() == part.handles.processes()
    for pid in whole.handles.processes():
        told, again = whole.handles.open(pid), part.handles.open(pid)
        mine, other = (np.sort(one.rows, order="descriptor") for one in (told, again))
        assert np.array_equal(mine["descriptor"], other["descriptor"])
        born = (mine["birth_ns"] != 0) & ((mine["marks"] | other["marks"]) & Mark.COPIED == 0)
        born &= (other["marks"] & Mark.INHERITED) == 0
        assert np.array_equal(mine[SAME][born], other[SAME][born])
        assert born.any()
        assert sorted(map(told.text, range(len(mine)))) == sorted(map(again.text, range(len(mine))))


def test_what_flowed_before_is_of_no_account() -> None:
    whole, batches = Ledger(), run(seed=9)
    for batch in batches[:10]:
        whole.fold(batch)
    part = begun(whole)
    assert part.begin_ns == part.now_ns == whole.now_ns
    assert part.events == 0
    assert {site.opened_per_s for site in part.handle_sites()} <= {None, 0.0}
    assert part.handles.evidence.repaired == part.handles.evidence.compared == 0
    ages = [site.oldest_s or 0.0 for site in part.handle_sites()]
    assert max(ages) == max(site.oldest_s or 0.0 for site in whole.handle_sites())


def test_what_was_counted_and_measured_goes_on() -> None:
    whole = Ledger()
    sample = rows.unmeasured(1)
    sample["time_ns"], sample["pid"], sample["rss_bytes"] = 5, 7, 1 << 20
    counted = np.zeros(1, rows.POPULATION)
    counted["time_ns"], counted["subject_id"], counted["pid"], counted["count"] = 5, 3, 7, 40
    subjects = {3: Subject(What.CONTAINER, holder="app.CACHE")}
    whole.fold(Batch("made", 0, 10, samples=sample, populations=counted, subjects=subjects))
    part = begun(whole)
    assert part.memory(7).rss_mb == 1
    known = part.populations.get((7, 3))
    assert known is not None
    assert (known.count, part.populations.subjects[3].holder) == (40, "app.CACHE")


def test_descriptors_of_polling() -> None:
    """Without probes a process's pid stands for its table; all of it is inherited."""
    whole = Ledger()
    shown = np.zeros(3, rows.OPEN_HANDLE)
    shown["descriptor"], shown["inode"] = [0, 5, 70_000], [1, 2, 3]
    whole.fold(Batch("procfs", 0, 10, handles=(Handles(7, 9, 10, shown, ("a", "b", "c")),)))
    part = begun(whole)
    handles = part.handles.open(7)
    assert handles.rows["descriptor"].tolist() == [0, 5, 70_000]
    assert [handles.text(row) for row in range(3)] == ["a", "b", "c"]
