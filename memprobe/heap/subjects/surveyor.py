"""Surveys a heap again and again: what may pile up there, and how many of it there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from memprobe.heap.answers import Answers
from memprobe.heap.census import Census, take_census
from memprobe.heap.containers import Candidates
from memprobe.heap.graph import build_graph, open_for_graph
from memprobe.heap.subjects.counted import Counted
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process
from memprobe.vocab.subject import Seen, Subject, What

MOST_TYPES = 30
MOST_CONTAINERS = 60


@dataclass(frozen=True, slots=True)
class Evidence:
    """How well the last survey saw."""

    torn_objects: int = 0
    remarks: tuple[str, ...] = ()


class Surveyor:
    """Surveys one process."""

    def __init__(self, process: Process, python: Python) -> None:
        self._process = process
        self._python = python
        self.evidence = Evidence()

    def survey(self) -> Iterator[Counted]:
        """Look at the whole heap once, and yield what may pile up in it."""
        with open_for_graph(self._process, self._python) as heap:
            census = take_census(heap)
            self.evidence = Evidence(census.torn_objects, census.remarks)
            answers = Answers(heap, build_graph(heap))
            answers.read_roots()
            yield from _types(census)
            yield from _containers(answers)


def _types(census: Census) -> Iterator[Counted]:
    allocated = sum(row.allocated_bytes for row in census.rows)
    yield Counted(Subject(What.MEMORY, "objects"), "memory:objects", None, allocated)
    unowned = Subject(What.MEMORY, "blocks without an object")
    yield Counted(unowned, "memory:blocks", None, census.unowned_bytes)
    for row in census.rows[:MOST_TYPES]:
        seen = Seen.CHURNING if row.is_churning else Seen.EXACTLY
        yield Counted(
            Subject(What.TYPE, row.name), f"type:{row.name}", row.count, row.allocated_bytes, seen=seen
        )


def _containers(answers: Answers) -> Iterator[Counted]:
    holders = answers.holders
    for watched in Candidates(answers.heap.python, holders).choose(most=MOST_CONTAINERS):
        node = holders.graph.node(watched.address)
        retained = None if node is None else int(np.uint64(holders.holding.retained[node]))
        subject = Subject(What.CONTAINER, holder=watched.path, container=watched.type)
        yield Counted(subject, f"container:{watched.address:x}", watched.length, retained, watched=watched)
