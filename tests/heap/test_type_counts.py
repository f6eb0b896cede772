"""What a look counts on its graph is what a census counts on a walk of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

import pythons
from memprobe.heap.answers import Answers
from memprobe.heap.census import take_census
from memprobe.heap.graph import build_graph, open_for_graph
from memprobe.heap.subjects.surveyor import BLOCKS, OBJECTS, sums
from memprobe.heap.subjects.type_counts import TypeCount, type_counts
from memprobe.heap.tally import counted_types
from memprobe.target.inspection.opening import opened

TARGETS = Path(__file__).resolve().parent.parent / "targets"


def test_both_count_the_same(interpreter: pythons.Interpreter) -> None:
    with interpreter.spawn(TARGETS / "heap_truth.py") as target, opened(target.pid) as held:
        assert held.python is not None
        with open_for_graph(held.process, held.python) as heap:
            census = take_census(heap)
            answers = Answers(heap, build_graph(heap))
            counts = type_counts(answers)
            expected = [
                TypeCount(row.type, row.objects, row.allocated_bytes, row.churning)
                for row in counted_types(census)
            ]
            assert list(counts) == expected
            told = {one.subject.type: one.bytes for one in sums(answers, counts, 0)}
            assert told[OBJECTS] == sum(row.allocated_bytes for row in census.rows)
            assert told[BLOCKS] == pytest.approx(census.unowned_bytes, abs=4096)
