"""What waits for the garbage collector, and whether that comes: rows of the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from memprobe.heap.arrays import pieces
from memprobe.heap.document import GarbagePart, GarbageTypePart
from memprobe.heap.garbage import find_garbage
from memprobe.heap.graph import TRACKED, HeapGraph
from memprobe.heap.opening import OpenHeap
from memprobe.target.cpython.collector import Collector
from memprobe.target.cpython.dictionaries import Dictionaries
from memprobe.target.cpython.objects import UNREADABLE, is_pointer

if TYPE_CHECKING:
    import numpy.typing as npt

MOST_TYPES = 200
STARVED_ROUNDS = 2
"""Overdue by this factor the oldest generation is put off: CPython waits for a quarter more objects."""

_MAXIMUM_BASES = 64


def garbage_part(
    heap: OpenHeap, graph: HeapGraph, type_names: list[str], frozen: bytes | None
) -> GarbagePart:
    """Run the collector's algorithm, and ask the collector how it is; `frozen` as in `is_collected`."""
    freed = what_waits(heap, graph, frozen)
    types = graph.types[freed]
    objects = np.bincount(types, minlength=len(type_names))
    sizes = np.bincount(types, weights=graph.sizes[freed], minlength=len(type_names))
    rows = [
        GarbageTypePart(
            type_names[kind],
            int(objects[kind]),
            int(sizes[kind]),
            has_del(heap, int(graph.type_addresses[kind])),
        )
        for kind in np.argsort(-sizes, kind="stable")[:MOST_TYPES]
        if objects[kind]
    ]
    state = heap.python.collector()
    return GarbagePart(
        objects=int(freed.sum()),
        bytes=int(sizes.sum()),
        types=tuple(rows),
        uncollectable=_length_of_garbage(heap),
        frozen=None if state is None else state.frozen_objects,
        enabled=None if state is None else state.enabled,
        counts=() if state is None else state.counts,
        thresholds=() if state is None else state.thresholds,
        collections=() if state is None else state.collections,
        starved=_is_starved(state),
    )


def what_waits(heap: OpenHeap, graph: HeapGraph, frozen: bytes | None) -> npt.NDArray[np.bool_]:
    """Run the collector's algorithm: which objects a full collection would free now."""
    collected = is_collected(graph, frozen)
    return find_garbage(graph.starts, graph.targets, graph.refcounts, collected, _legacy(heap, graph)).freed


def is_collected(graph: HeapGraph, frozen: bytes | None) -> npt.NDArray[np.bool_]:
    """Which objects a full collection looks at: those that are tracked, and not frozen.

    `frozen` are the addresses of those that are, 64 bits each; None if they are not known.
    """
    tracked: npt.NDArray[np.bool_] = (graph.flags & TRACKED) != 0
    if frozen:
        aside = np.sort(np.frombuffer(frozen, np.uint64))
        for part in pieces(len(tracked)):
            # np.isin takes 25 s for 22 M objects of which half are frozen, this takes 1 s.
            places = np.searchsorted(aside, graph.addresses[part])
            places[places == len(aside)] = 0
            tracked[part] &= aside[places] != graph.addresses[part]
    return tracked


def _is_starved(state: Collector | None) -> bool | None:
    """Whether the oldest generation is due again and again, and does not come."""
    if state is None or not state.enabled:
        return None
    return bool(state.thresholds[-1]) and state.counts[-1] > STARVED_ROUNDS * state.thresholds[-1]


def _legacy(heap: OpenHeap, graph: HeapGraph) -> npt.NDArray[np.bool_]:
    """Which objects have a type with tp_del."""
    objects = heap.python.objects
    offset = objects.layout.offset("PyTypeObject.tp_del")
    blocks = objects.memory.read_many([(int(address) + offset, 8) for address in graph.type_addresses])
    return np.array([len(block) == 8 and any(block) for block in blocks], np.bool_)[graph.types]


def has_del(heap: OpenHeap, address: int) -> bool:
    """Whether a class, or one above it, defines `__del__`."""
    for _ in range(_MAXIMUM_BASES):
        facts = heap.types.facts(address) if is_pointer(address) else None
        if facts is None:
            return False
        if defines(heap, address, "__del__"):
            return True
        address = facts.base
    return False


def defines(heap: OpenHeap, address: int, method: str) -> bool:
    """Whether a class itself defines a method."""
    facts = heap.types.facts(address)
    try:
        dictionary = 0 if facts is None else facts.dictionary
        return bool(dictionary and Dictionaries(heap.python.objects).find(dictionary, method))
    except UNREADABLE:
        return False


def _length_of_garbage(heap: OpenHeap) -> int | None:
    """How many objects are in `gc.garbage`."""
    objects, layout = heap.python.objects, heap.python.layout
    try:
        if layout.has("_PyRuntimeState.gc"):
            state = heap.python.runtime.address + layout.offset("_PyRuntimeState.gc")
        else:
            state = heap.python.interpreters()[0].address + layout.offset("PyInterpreterState.gc")
        listed = objects.pointer(state + layout.offset("_gc_runtime_state.garbage"))
        return objects.pointer(listed + layout.offset("PyVarObject.ob_size")) if listed else 0
    except (*UNREADABLE, IndexError, KeyError):
        return None
