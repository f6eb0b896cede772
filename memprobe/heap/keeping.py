"""A heap for later: its graph, where paths begin, and the names that only the process itself can tell.

A path is read from the process, object by object. All of them would take hours and more room than the graph,
so it is those of the objects that keep most alive, and of those over which most ways lead; `kept` names what
is below one of them by its type.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from memprobe.errors import PidRecycled, ReadFault, TargetGone
from memprobe.heap.answers import Answers, largest_of
from memprobe.heap.arrays import view
from memprobe.heap.graph import HeapGraph, build_graph, open_for_graph
from memprobe.heap.look import Stops, document
from memprobe.heap.opening import OpenHeap
from memprobe.heap.reaching import reached
from memprobe.heap.room import limit_memory
from memprobe.heap.survey import HOLDERS, Survey, answered, counted
from memprobe.heap.telling import Telling
from memprobe.heap.wishes import Wishes
from memprobe.native import _heap
from memprobe.target.inspection.plain_data import as_plain
from memprobe.vocab import TargetId
from memprobe.vocab.kept_heap import KeptHeap

MOST_NAMED = 2048
"""Objects that have their paths kept, by each of the two measures."""

PATH_CHARACTERS = 4096
"""Of a path that is longer the rest is left out."""

WISHES = Wishes(garbage=True, rows=HOLDERS)
"""What is asked while the process is there; the rest can be asked of the graph."""

GONE = (TargetGone, ReadFault, OSError)
"""What reading a process that is ending may raise."""

TYPES, ROOTS, DEFERRED, PATHS, LENGTHS = "type_names", "roots", "deferred", "paths", "lengths"
"""The words for the graph."""

NAMED, DEGREES = "graph.named", "graph.degrees"
"""The objects that have paths; and of each object how many references it has."""

GRAPH = "graph."
"""What the names of its other arrays begin with."""

OF_OBJECTS = {
    "addresses": np.uint64,
    "types": np.uint32,
    "sizes": np.uint32,
    "flags": np.uint8,
    "refcounts": np.uint32,
}
ARRAYS = {**OF_OBJECTS, "targets": np.uint32, "type_addresses": np.uint64}
"""Those of the graph that are kept as they are."""


def take(wanted: TargetId) -> KeptHeap:
    """Take the heap of a process; raises what `look` raises, and why its objects cannot be read."""
    begin = time.time()
    limit_memory()
    with reached(wanted.pid) as target:
        if target.process.id != wanted:
            raise PidRecycled(f"the pid {wanted.pid} belongs to another process now")
        if target.python is None:
            assert target.obstacle is not None
            raise target.obstacle
        telling = Telling(lambda _: None)
        with open_for_graph(target.process, target.python) as heap:
            survey = counted(heap, target, telling)
            answers = Answers(heap, build_graph(heap))
            answers.read_roots()
            graph = answers.graph  # with its reference counts: later it is without
            survey = _answered(survey, answers, telling)
            words, named = _words(heap, answers)
        found = document(target, survey, None, Stops(), WISHES, begin)
    texts = {name: part for name, part in as_plain(found).items() if part is not None}
    return KeptHeap(texts | words, _arrays(graph) | {NAMED: named})


def _answered(survey: Survey, answers: Answers, telling: Telling) -> Survey:
    """Ask as long as the process is there; what needs it no more can be asked of the graph."""
    with suppress(*GONE):
        survey = answered(survey, answers, WISHES, None, telling)
    return survey


def _arrays(graph: HeapGraph) -> dict[str, npt.NDArray[np.unsignedinteger[Any]]]:
    degrees = np.diff(graph.starts).astype(np.uint32)
    return {f"{GRAPH}{name}": getattr(graph, name) for name in ARRAYS} | {DEGREES: degrees}


def _words(heap: OpenHeap, answers: Answers) -> tuple[dict[str, Any], npt.NDArray[np.uint32]]:
    nodes = _worth_a_name(answers)
    named = list(_named(answers, nodes))
    words = {
        TYPES: answers.type_names,
        ROOTS: [[one.title, one.place.address, int(one.tier), one.counted] for one in answers.roots],
        DEFERRED: answers.deferred,
        PATHS: [path for path, _ in named],
        LENGTHS: [length for _, length in named],
    }
    return words, nodes[: len(named)]


def _worth_a_name(answers: Answers) -> npt.NDArray[np.uint32]:
    """Return the objects that keep most alive, and those over which most ways lead, the first ones first."""
    holding = answers.holding
    ways = view(_heap.sums(holding.before, np.ones(len(answers.graph), np.uint32)), np.uint64)
    chosen = [largest_of(amounts, MOST_NAMED) for amounts in (holding.retained, ways)]
    nodes = np.concatenate(chosen)
    _, first = np.unique(nodes, return_index=True)
    return nodes[np.sort(first)].astype(np.uint32)


def _named(answers: Answers, nodes: npt.NDArray[np.uint32]) -> Iterator[tuple[str, int | None]]:
    """Yield path and length of objects until the process is gone."""
    with suppress(*GONE):
        for node in map(int, nodes):
            yield answers.path(node)[:PATH_CHARACTERS], answers.length(node)
