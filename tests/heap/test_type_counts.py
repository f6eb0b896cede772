"""What a look counts on its graph is what a census counts on a walk of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

import pythons
from memprobe.heap.answers import Answers
from memprobe.heap.census import take_census
from memprobe.heap.graph import build_graph, open_for_graph
from memprobe.heap.subjects.surveyor import BLOCKS, OBJECTS, sums, unowned_bytes
from memprobe.heap.subjects.type_counts import census_counts, type_counts
from memprobe.target.inspection.opening import opened

TARGETS = Path(__file__).resolve().parent.parent / "targets"


def test_both_count_the_same(interpreter: pythons.Interpreter) -> None:
    with interpreter.spawn(TARGETS / "heap_truth.py") as target, opened(target.pid) as held:
        assert held.python is not None
        with open_for_graph(held.process, held.python) as heap:
            census = take_census(heap)
            answers = Answers(heap, build_graph(heap))
            counts = type_counts(answers)
            assert counts == census_counts(census)
            told = {one.subject.type: one.bytes for one in sums(counts, unowned_bytes(answers), 0)}
            assert told[OBJECTS] == sum(row.allocated_bytes for row in census.rows)
            assert told[BLOCKS] == pytest.approx(census.unowned_bytes, abs=4096)
