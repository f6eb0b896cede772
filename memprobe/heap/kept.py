"""A heap that was kept, asked as if its process were there: the document that `memprobe heap` gives.

What a file says of a graph may be anything: numbers are checked before they are indices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from memprobe.errors import UnreadableRecording
from memprobe.heap.document import Heap, HolderPart, TypePart
from memprobe.heap.dominators import NO_NODE
from memprobe.heap.graph import LARGE, NODE_MASK, HeapGraph
from memprobe.heap.holders import NATIVE
from memprobe.heap.holding import Holding
from memprobe.heap.keeping import (
    ARRAYS,
    DEFERRED,
    DEGREES,
    GRAPH,
    LENGTHS,
    NAMED,
    OF_OBJECTS,
    PATHS,
    ROOTS,
    TYPES,
)
from memprobe.heap.questions import Questions, called
from memprobe.heap.references import Place
from memprobe.heap.room import limit_memory
from memprobe.heap.roots import Root, Tier
from memprobe.heap.survey import CANDIDATES, HOLDERS, NO_TYPE, matching
from memprobe.heap.wishes import Wishes
from memprobe.target.inspection.plain_data import WrongData, from_plain
from memprobe.vocab.kept_heap import KeptHeap

STEPS_TOLD = 4
"""So many steps of a path that was not kept are told by their types."""

BROKEN = (ValueError, TypeError, LookupError, OverflowError)
"""What arrays and words that do not fit lead to."""


def asked(kept: KeptHeap, wishes: Wishes, file: str) -> Heap:
    """Answer from a kept heap; raises UnreadableRecording if not even what it is of can be told."""
    heap = _document(kept, file)
    if not wishes.garbage:
        heap = replace(heap, garbage=None, unexplained=None)
    is_narrowed = wishes.type is not None or wishes.holders is not None
    if not is_narrowed and heap.holders is not None:
        return replace(heap, holders=_cut(heap.holders, wishes.rows))
    if is_narrowed:
        heap = replace(heap, types=_types(heap.types, wishes.type), holders=None, listeners=None)
    limit_memory()
    try:
        return _of_graph(heap, KeptGraph(kept), wishes)
    except BROKEN as error:
        what = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        return _with(heap, f"Who holds what cannot be told: {what}.")


def _document(kept: KeptHeap, file: str) -> Heap:
    names = {field.name for field in fields(Heap)}
    try:
        heap = from_plain(Heap, {name: part for name, part in kept.texts.items() if name in names})
    except WrongData as error:
        raise UnreadableRecording(f"{file}: the heap in it is damaged ({error})") from None
    said = (f"Of the heap in the recording is damaged: {', '.join(kept.lost)}.",) if kept.lost else ()
    return _with(replace(heap, recording=file), *said)


def _types(types: tuple[TypePart, ...] | None, wanted: str | None) -> tuple[TypePart, ...] | None:
    """Leave the types that are meant."""
    if types is None or wanted is None:
        return types
    names = called(wanted, {row.type for row in types})
    return tuple(row for row in types if row.type in names)


def _with(heap: Heap, *sentences: str) -> Heap:
    told = (*heap.evidence.invisible, *sentences)
    return replace(heap, evidence=replace(heap.evidence, invisible=told))


def _cut(holders: tuple[HolderPart, ...], rows: int) -> tuple[HolderPart, ...]:
    """Leave the pieces of the first ones."""
    return holders[:rows] + tuple(replace(row, holds=()) for row in holders[rows:])


def _of_graph(heap: Heap, graph: KeptGraph, wishes: Wishes) -> Heap:
    """Add what the graph tells."""
    if wishes.type is not None:
        names = graph.types_called(wishes.type)
        chosen = graph.nodes_of(names)
        told = replace(
            heap,
            holders=tuple(graph.of(chosen, HOLDERS)),
            referrers=tuple(graph.referrers(chosen, HOLDERS)),
            asked={"type": wishes.type},
        )
        return told if names else _with(told, NO_TYPE.format(wishes.type))
    if wishes.holders is not None:
        found = graph.largest(CANDIDATES, keep=matching(wishes.holders), details=wishes.rows)
        return replace(heap, holders=tuple(found), asked={"holders": wishes.holders})
    return replace(heap, holders=tuple(graph.largest(HOLDERS, details=wishes.rows)))


class KeptGraph(Questions):
    """A graph out of a file, and the words for it."""

    def __init__(self, kept: KeptHeap) -> None:
        """Raise one of BROKEN if it is no graph, or lacks a part."""
        if not kept.arrays and not kept.lost:
            raise ValueError("the graph was too large to be kept")
        self._types = [str(name) for name in kept.texts[TYPES]]
        self.graph = _graph(kept.arrays, len(self._types))
        self._roots = [_root(*fields) for fields in kept.texts[ROOTS]]
        self._deferred = [int(address) for address in kept.texts[DEFERRED]]
        named = kept.arrays[NAMED].tolist()
        self._paths: dict[int, str] = dict(zip(named, map(str, kept.texts[PATHS]), strict=True))
        self._lengths = dict(zip(named, map(_length, kept.texts[LENGTHS]), strict=True))

    @property
    def type_names(self) -> list[str]:
        """The names of types by index."""
        return self._types

    @cached_property
    def holding(self) -> Holding:
        """Who holds what."""
        return Holding(self.graph, self._roots, self._deferred)

    def path(self, node: int) -> str:
        """Return the path to an object; from where its words were not kept on, the types of the steps."""
        steps: list[int] = []
        for above in self._ways_up(node):
            if above in self._paths:
                known = self._paths[above]
                return known.removesuffix(".__dict__") + self._told(steps) if steps else known
            steps.insert(0, above)
        if not steps or self.holding.before[steps[0]] == NO_NODE:
            return f"<{self._type(node)} that nothing leads to>"
        root = self.holding.roots.get(steps[0])
        return (NATIVE if root is None else root.title) + self._told(steps[1:])

    def length(self, node: int) -> int | None:
        """Return how many entries an object had; None if that was not kept."""
        return self._lengths.get(node)

    def _ways_up(self, node: int) -> Iterator[int]:
        """Yield an object and those before it, up to a root or to one that nothing leads to."""
        before, end = self.holding.before, len(self.graph)
        while node < end:
            yield node
            node = int(before[node])

    def _told(self, steps: Sequence[int]) -> str:
        """Say what lies between what has a name and the object in question."""
        left_out = len(steps) - STEPS_TOLD
        between = f" … {left_out:,} objects … " if left_out > 0 else ""
        return between + "".join(f".<{self._type(step)}>" for step in steps[-STEPS_TOLD:])

    def _type(self, node: int) -> str:
        return self._types[int(self.graph.types[node])]


def _graph(arrays: Mapping[str, npt.NDArray[np.unsignedinteger[Any]]], types: int) -> HeapGraph:
    """Return the graph of some arrays, all of whose numbers lead to something."""
    parts: dict[str, Any] = {name: arrays[f"{GRAPH}{name}"].astype(kind) for name, kind in ARRAYS.items()}
    degrees = arrays[DEGREES]
    count, flags = len(degrees), parts["flags"]
    is_whole = all(len(parts[name]) == count for name in OF_OBJECTS) and len(parts["type_addresses"]) == types
    starts = np.concatenate((np.zeros(1, np.uint64), np.cumsum(degrees, dtype=np.uint64)))
    targets = parts["targets"]
    leads_on = not len(targets) or int((targets & np.uint32(NODE_MASK)).max()) < count
    if not is_whole or not count or int(starts[-1]) != len(targets) or not leads_on:
        raise ValueError("the parts of the graph do not fit together")
    if int(parts["types"].max()) >= types:
        raise ValueError("an object of a type that there is not")
    large = flags & LARGE != 0
    first_large = int(large.argmax()) if large.any() else count
    return HeapGraph(**parts, starts=starts, counters={}, first_large=first_large)


def _root(title: str, address: int, tier: int, counted: bool) -> Root:
    return Root(str(title), Place(int(address) % (1 << 64)), Tier(tier), bool(counted))


def _length(length: Any) -> int | None:
    return None if length is None else int(length)
