"""Kernel numbers and memprobe's own, where it is in another pid namespace than the kernel's first."""

from __future__ import annotations

import numpy as np
import pytest

from memprobe import abi
from memprobe.sources.kernel import numbers
from memprobe.sources.kernel.numbers import Numbers
from memprobe.vocab.rows import Rows


def tasks(*pairs: tuple[int, int]) -> Rows:
    rows = np.zeros(len(pairs), abi.TASK_ROW)
    for row, pair in zip(rows, pairs, strict=True):
        row["tid"], row["local_tid"] = pair
    return rows


def test_threads_that_ended_long_ago_are_forgotten_and_those_that_live_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numbers, "MOST", 3)
    known = Numbers(is_initial=False)
    for short_lived in range(100, 200):
        known.learn(tasks((70, 7), (71, 8)))  # every census has them
        known.add(short_lived, short_lived - 60)
    assert [known.own(number) for number in (70, 71, 199, 100)] == [7, 8, 139, 0]
    assert len(known.known) == 3


def test_in_the_first_namespace_there_is_nothing_to_remember() -> None:
    known = Numbers(is_initial=True)
    known.learn(tasks((70, 7)))
    assert (known.own(70), known.known) == (70, set())
