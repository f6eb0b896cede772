"""Dominators, garbage and unexplained references of real programs, by the arrays of their graphs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from memprobe.heap.census import frozen_addresses
from memprobe.heap.dominators import dominated_by, find_dominators, retained_bytes
from memprobe.heap.garbage import DIES_TOO, GARBAGE, explain_counts, find_garbage
from memprobe.heap.graph import build_graph, open_for_graph
from memprobe.heap.waste import is_collected
from memprobe.target.inspection.opening import opened
from pythons import Interpreter


def test_garbage_is_what_the_target_then_collects(interpreter: Interpreter, targets: Path) -> None:
    """The target makes cycles, keeps and freezes some, waits; then collects and says what became of them."""
    with interpreter.spawn(targets / "garbage_waits.py") as running:
        with opened(running.pid) as target:
            assert target.python is not None
            with open_for_graph(target.process, target.python) as heap:
                graph = build_graph(heap)
                names = [heap.types.name(int(kind)) for kind in graph.type_addresses]
                collected = is_collected(graph, frozen_addresses(heap))
        garbage = find_garbage(graph.starts, graph.targets, graph.refcounts, collected)
        found = Counter(names[kind] for kind in graph.types[garbage.verdicts == GARBAGE])
        too = Counter(names[kind] for kind in graph.types[garbage.verdicts == DIES_TOO])
        expected = dict(part.split("=") for part in running.ask("collect").split())
    assert garbage.impossible == 0
    assert found["__main__.Lost"] == int(expected["lost"]) == 300
    assert found["__main__.Kept"] == found["__main__.Frozen"] == 0
    # The strings that only garbage holds are no garbage themselves.
    assert too["str"] >= 300
    assert int(garbage.freed.sum()) >= int(expected["unreachable"])
    assert int((garbage.verdicts == GARBAGE).sum()) == int(expected["unreachable"])


def test_a_holder_retains_what_only_it_holds(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "garbage_waits.py") as running, opened(running.pid) as target:
        assert target.python is not None
        with open_for_graph(target.process, target.python) as heap:
            graph = build_graph(heap)
            names = np.array([heap.types.name(int(kind)) for kind in graph.type_addresses])
    counts = explain_counts(graph.starts, graph.targets, graph.refcounts)
    roots = np.flatnonzero(counts > 0).astype(np.uint32)
    tree = find_dominators(graph.starts, graph.targets, roots)
    retained = retained_bytes(tree, graph.sizes)
    kinds = names[graph.types]
    holder = np.flatnonzero(kinds == "__main__.Holder").astype(np.uint32)
    assert len(holder) == 1
    inside = dominated_by(tree, holder)
    assert int((kinds[inside] == "__main__.Kept").sum()) == 200
    assert retained[holder[0]] == graph.sizes[inside].sum()
