"""Batches that are gathered say what they said one by one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from memprobe.ledger import Ledger
from memprobe.session.gathering import Gathering, joined
from memprobe.vocab.batch import Batch
from recording.made_batches import batches
from recording.writing import batch


@settings(max_examples=8, deadline=None)
@given(st.lists(batches(), min_size=1, max_size=3))
def test_nothing_is_lost(made: list[Batch]) -> None:
    whole = joined(made)
    for name in ("births", "deaths", "growth", "samples", "populations"):
        rows = [row for one in made for row in getattr(one, name).tolist()]
        assert str(getattr(whole, name).tolist()) == str(rows)
    assert whole.paths == b"".join(one.paths for one in made)
    assert sum(whole.losses.values()) == sum(sum(one.losses.values()) for one in made)
    assert (whole.begin_ns, whole.end_ns) == (made[0].begin_ns, made[-1].end_ns)


def test_the_ledger_comes_to_the_same() -> None:
    one_by_one, gathered, gathering = Ledger(), Ledger(), Gathering()
    for second in range(1, 30):
        one_by_one.fold(batch(second))
        assert not gathering.add(batch(second))
    (whole,) = gathering.take()
    gathered.fold(whole)
    assert gathering.take() == []
    assert one_by_one.handle_sites() == gathered.handle_sites()
    assert one_by_one.events == gathered.events
