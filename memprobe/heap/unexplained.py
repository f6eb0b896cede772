"""Find objects that are counted more often than anything known refers to them: native code has the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from memprobe.heap.answers import Answers
from memprobe.heap.graph import build_graph, open_for_graph
from memprobe.heap.reaching import reached
from memprobe.heap.room import limit_memory
from memprobe.heap.telling import Tell, Telling

MOST_FOUND = 2
"""Objects that are taken: each needs a debug register of the CPU, of which there are four."""


def seek_unexplained(pid: int, wanted: str, tell: Tell) -> dict[str, Any]:
    """Find those of a type, in a child: plain data comes back. Raises what cannot be looked into."""
    limit_memory()
    with reached(pid) as target:
        if target.python is None:
            assert target.obstacle is not None
            raise target.obstacle
        progress = Telling(tell).step("looking for references that nothing explains")
        with open_for_graph(target.process, target.python) as heap:
            answers = Answers(heap, build_graph(heap, progress))
            answers.read_roots()
            found = _most_unexplained(answers, wanted)
        target.process.check()
        layout = target.python.layout
    return {
        "offsets": [layout.offset("PyObject.ob_refcnt"), layout.offset("PyObject.ob_type")],
        "found": found,
    }


def _most_unexplained(answers: Answers, wanted: str) -> list[list[Any]]:
    """Type, address, unexplained references and address of the type, of those that have most of these."""
    unexplained = answers.holders.holding.unexplained
    graph = answers.graph
    nodes = np.flatnonzero(answers.nodes_of(answers.types_called(wanted)) & (unexplained > 0))
    order = np.argsort(-unexplained[nodes], kind="stable")[:MOST_FOUND]
    return [
        [
            answers.type_names[int(graph.types[node])],
            int(graph.addresses[node]),
            int(unexplained[node]),
            graph.type_address(node),
        ]
        for node in nodes[order].tolist()
    ]
