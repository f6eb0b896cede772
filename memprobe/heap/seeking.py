"""Find the containers that somebody means: by path (* for anything), by the name of a type, by address."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from memprobe.heap.answers import Answers
from memprobe.heap.containers import Watched, places_of, size_fields
from memprobe.heap.graph import NODE_MASK, build_graph, open_for_graph
from memprobe.heap.reaching import reached
from memprobe.heap.room import limit_memory
from memprobe.heap.subjects.kinds import Kinds
from memprobe.heap.subjects.places import Places
from memprobe.heap.subjects.words import holder_text
from memprobe.heap.telling import Tell, Telling

MOST_NAMED = 4_000
"""Places whose paths are compared, those with most entries first: some 0.1 ms each."""

MOST_FOUND = 16
"""Containers that are taken; more would have too short a turn each."""


@dataclass(frozen=True, slots=True)
class _Found:
    node: int
    path: str
    entries: int


def seek(pid: int, wanted: str, tell: Tell) -> dict[str, Any]:
    """Find containers, in a child: plain data comes back. Raises what cannot be looked into."""
    limit_memory()
    begin_s = time.monotonic()
    with reached(pid) as target:
        if target.python is None:
            assert target.obstacle is not None
            raise target.obstacle
        progress = Telling(tell).step("looking for the container")
        with open_for_graph(target.process, target.python) as heap:
            answers = Answers(heap, build_graph(heap, progress))
            answers.read_roots()
            seeker = _Seeker(answers)
            found = seeker.find(wanted)
            types = [seeker.type_of(one) for one in found]
            watched = [seeker.watched(one) for one in found]
        places = places_of(target.python, watched)
        target.process.check()
        layout = target.python.layout
    return {
        "took_s": time.monotonic() - begin_s,
        "header": [layout.offset("PyObject.ob_refcnt"), layout.offset("PyObject.ob_type")],
        "found": [[one.path, kind, *place] for one, kind, place in zip(found, types, places, strict=True)],
    }


class _Seeker:
    """Finds containers in one graph."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._graph = answers.graph
        self._kinds = Kinds(answers)
        self._watchable = self._kinds.built_on(size_fields(answers.heap.python))

    def find(self, wanted: str) -> list[_Found]:
        """Return those that are meant, the largest first."""
        found = list(self._by_address(wanted)) or list(self._by_path(wanted)) or list(self._by_type(wanted))
        return sorted(found, key=lambda one: (-one.entries, one.path))[:MOST_FOUND]

    def type_of(self, one: _Found) -> str:
        """Return the type of a container."""
        return self._kinds.names[int(self._graph.types[one.node])]

    def watched(self, one: _Found) -> Watched:
        """Return how to read its size again."""
        path = self._answers.holders.path_to(one.node)
        places = () if path is None else path.places
        return Watched(
            address=int(self._graph.addresses[one.node]),
            type_address=self._graph.type_address(one.node),
            type=self._kinds.bases[int(self._graph.types[one.node])],
            owner=places[-2].address if len(places) > 1 else 0,
        )

    def _by_address(self, wanted: str) -> Iterator[_Found]:
        if not re.fullmatch(r"0x[0-9a-fA-F]{1,16}", wanted):
            return
        node = self._graph.node(int(wanted, 16))
        if node is not None:
            yield from self._inside(np.array([node]))

    def _by_type(self, wanted: str) -> Iterator[_Found]:
        """Yield the containers of a type, or right below its objects."""
        types = self._answers.types_called(wanted)
        yield from self._inside(np.flatnonzero(self._answers.nodes_of(types)))

    def _by_path(self, wanted: str) -> Iterator[_Found]:
        """Yield what is called so; else the containers of the object that is called so."""
        inside = []
        for one in self._named():
            if one.path == wanted or fnmatchcase(one.path, wanted):
                yield one
            elif one.path.startswith((f"{wanted}.", f"{wanted}[")):
                inside.append(one)
        yield from inside

    def _named(self) -> Iterator[_Found]:
        """Yield the containers that have names of their own, or the largest of many in one place."""
        places = Places(self._answers, self._kinds)
        first = places.first
        for index in np.argsort(-places.entries, kind="stable")[:MOST_NAMED].tolist():
            yield from self._described(int(first[index]))

    def _described(self, node: int) -> Iterator[_Found]:
        path = self._answers.holders.path_to(node)
        if path is not None and self._watchable[self._graph.types[node]]:
            text = holder_text(path, self._kinds.class_of)
            yield _Found(node, text, int(self._graph.starts[node + 1] - self._graph.starts[node]))

    def _inside(self, nodes: Iterable[int]) -> Iterator[_Found]:
        """Yield the containers among objects; of others those that they refer to themselves."""
        for node in [int(one) for one in nodes][:MOST_NAMED]:
            if self._watchable[self._graph.types[node]]:
                yield from self._described(node)
            else:
                start, end = int(self._graph.starts[node]), int(self._graph.starts[node + 1])
                below = np.unique(self._graph.targets[start:end] & np.uint32(NODE_MASK))
                for one in below[:MOST_FOUND].tolist():
                    yield from self._described(int(one))
