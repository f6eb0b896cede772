"""Open descriptors by birth site."""

from __future__ import annotations

import numpy as np
import pytest

from ledger.kernel_model import Kernel
from memprobe.ledger import Ledger
from memprobe.ledger.sites import Born
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch
from memprobe.vocab.stack import Frame, Stack

SECOND_NS = 1_000_000_000


def site(line: int) -> Stack:
    return Stack((Frame("open_it", "/srv/app.py", line),), True)


def births(count: int, stack_id: int, weight: int, first: int) -> rows.Rows:
    made = np.zeros(count, rows.BIRTH)
    made["stack_id"], made["weight"], made["how"], made["pid"], made["files"] = (
        stack_id,
        weight,
        1,
        7,
        1 << 63,
    )
    made["descriptor"] = np.arange(first, first + count)
    made["time_ns"] = SECOND_NS + made["descriptor"]
    return made


def test_a_site_says_what_is_open_how_fast_and_since_when() -> None:
    kernel, ledger = Kernel(), Ledger()
    kernel.census(pid := kernel.process())
    for _ in range(4):
        kernel.open(pid, stack=5)
    kernel.close(pid, 0)
    batch = kernel.batch()
    ledger.fold(Batch("made", batch.end_ns - SECOND_NS, batch.end_ns - 1, stacks={5: site(1), 6: site(1)}))
    ledger.fold(batch)
    (row,) = ledger.handle_sites()
    assert (row.kind, row.open, row.inherited, row.sampled) == ("file", 3, 0, False)
    assert row.site == site(1).frames
    assert row.opened_per_s is not None
    assert row.opened_per_s >= 4 * (row.closed_per_s or 0) > 0
    assert row.oldest_s is not None
    assert 0 < row.oldest_s < 1
    assert row.examples == ("/tmp/5",)


def test_stacks_with_the_same_frames_are_one_site() -> None:
    ledger = Ledger()
    both = np.concatenate([births(2, 5, 1, 0), births(3, 6, 1, 10)])
    ledger.fold(Batch("made", 0, 2 * SECOND_NS, 2 * SECOND_NS, births=both, stacks={5: site(1), 6: site(1)}))
    (row,) = ledger.handle_sites()
    assert row.open == 5


def test_sampled_stacks_stand_for_those_that_were_not_taken() -> None:
    ledger = Ledger()
    both = np.concatenate([births(10, 5, 8, 0), births(75, 0, 0, 10)])
    ledger.fold(Batch("made", 0, 2 * SECOND_NS, 2 * SECOND_NS, births=both, stacks={5: site(1)}))
    known, unknown = ledger.handle_sites()
    assert (known.open, known.sampled) == (80, True)
    assert (unknown.open, unknown.site) == (5, ())
    assert (known.born, unknown.born) == (Born.SEEN, Born.STACK_NOT_TAKEN)
    assert known.opened_per_s == pytest.approx(40)
    assert unknown.opened_per_s == pytest.approx(2.5)


def test_a_birth_without_a_site_says_why() -> None:
    """Before the attach, while nobody watched births, and one that was lost."""
    kernel, ledger = Kernel(), Ledger()
    pid = kernel.process()
    kernel.open(pid, stack=5)
    kernel.batch()  # before the attach
    kernel.census(pid)
    ledger.fold(kernel.batch())
    kernel.losing = True
    kernel.open(pid, stack=5)
    kernel.losing = False
    kernel.census(pid)
    ledger.fold(kernel.batch())
    assert sorted((row.born, row.open, row.site) for row in ledger.handle_sites()) == [
        (Born.INHERITED, 1, ()),
        (Born.MISSED, 1, ()),
    ]


def test_nothing_open_is_no_site() -> None:
    assert Ledger().handle_sites() == []
