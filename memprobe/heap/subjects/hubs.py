"""Who holds most objects of one type: the last object that the ways to most of them have in common."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from memprobe.heap.answers import Answers
from memprobe.heap.arrays import view
from memprobe.heap.references import Role
from memprobe.heap.subjects.kinds import Flags, Kinds
from memprobe.heap.subjects.words import holder_text, holders_above
from memprobe.native import _heap

LONGEST = 4_096
"""Objects of the way that the others have in common that are looked at."""

LINKS = 8
"""A type that is so often on that way is a link of a chain: its first object says who holds the chain."""


NEAR = 4
"""Its first link is not farther from there: a class and two dicts may lie between."""


class Hub(NamedTuple):
    """Who holds most of them."""

    node: int
    holder: str
    chain: tuple[str, ...]
    """The collections that hold it."""

    objects: int
    """How many of them it holds."""

    is_collection: bool


class Hubs:
    """Finds who holds most objects, in one graph."""

    def __init__(self, answers: Answers, kinds: Kinds) -> None:
        self._graph = answers.graph
        self._holders = answers.holders
        self._kinds = kinds

    def of(self, chosen: Flags) -> Hub | None:
        """Return who holds most of the chosen objects; None if nobody does but a namespace."""
        before, end = self._holders.holding.before, len(self._graph)
        below = view(_heap.sums(before, chosen.astype(np.uint8)), np.uint64)
        reached = int(chosen[before <= end].sum())
        common = np.flatnonzero(below * np.uint64(2) > reached)
        if not reached or not len(common):
            return None
        way = self._in_order(common.tolist())
        last = self._before_links(way)
        # Where the chain has no owner but a namespace, its first link says best where it is.
        for node in (*way[last : last + NEAR], *way[:last][::-1]):
            hub = self._hub(node, int(below[node]))
            if hub is not None:
                return hub
        return None

    def _in_order(self, nodes: list[int]) -> list[int]:
        """Bring the objects of a way into their order, given that all are on it."""
        before = self._holders.holding.before
        after = {int(before[node]): node for node in nodes}
        way: list[int] = []
        node = len(self._graph)
        while node in after and len(way) < LONGEST:
            node = after[node]
            way.append(node)
        return way

    def _before_links(self, way: list[int]) -> int:
        """Return where on a way the chain begins, if it ends in one; else its end."""
        kinds = self._graph.types[np.array(way)].tolist()
        links = {kind for kind, count in Counter(kinds[1:]).items() if count >= LINKS}
        first = next((index for index, kind in enumerate(kinds) if index and kind in links), len(way))
        return first - 1

    def _hub(self, node: int, objects: int) -> Hub | None:
        path = self._holders.path_to(node)
        kind = int(self._graph.types[node])
        if path is None or path.places[-1].role in (Role.NAMESPACE, Role.CLOSURE):
            return None
        if self._kinds.bases[kind] in ("type", "module", "function"):
            return None
        is_collection = bool(self._kinds.collections[kind])
        class_of = self._kinds.class_of
        chain = holders_above(path, class_of)
        return Hub(node, holder_text(path, class_of), chain, objects, is_collection)
