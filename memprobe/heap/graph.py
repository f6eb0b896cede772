"""The object graph of one snapshot: arrays with an entry per object, and how to find one in them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from memprobe.heap.arrays import Scalar, view
from memprobe.heap.opening import OpenHeap, open_heap
from memprobe.heap.recipes import recipes
from memprobe.heap.shapes import Shapes, Strength
from memprobe.native._heap import BigBuffer
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]

STRENGTH_SHIFT = 30
NODE_MASK = (1 << STRENGTH_SHIFT) - 1
ALL_STRENGTHS = sum(1 << strength for strength in Strength)

TRACKED, LARGE, IMMORTAL, HAS_GC, UNSURE, CUT = 1, 2, 4, 8, 16, 32
"""Bits of `HeapGraph.flags`."""

FOLLOWED = 1024
"""References of an object that is CUT which were followed at least (HEAP_NEAR_EDGES in heap_near.h)."""


@dataclass(frozen=True, slots=True)
class HeapGraph:
    """Who refers to whom. Objects have numbers in the order of the walk, from 0 on."""

    addresses: U64
    types: U32
    """Of each object the index of its type in `type_addresses`."""

    sizes: U32
    """Allocated bytes, with tables that lie elsewhere; at most 2**32 - 1."""

    flags: U8
    refcounts: U32
    """At most 2**32 - 1; empty once they have been explained."""

    starts: U64
    """Where the references of an object begin in `targets`; one more than there are objects."""

    targets: U32
    """Numbers of objects, and the strength of each reference in the two top bits."""

    type_addresses: U64
    counters: dict[str, int]
    """What was met and what was left out: see heap_graph.h."""

    first_large: int
    """Objects from this number on lie outside the arenas; both parts are in order of address."""

    is_part: bool = False
    """Whether most objects are not in it: then reference counts explain nothing."""

    def __len__(self) -> int:
        return len(self.addresses)

    def node(self, address: int) -> int | None:
        """Return the number of the object at an address; None if there is none."""
        for low, high in ((0, self.first_large), (self.first_large, len(self))):
            found = low + int(np.searchsorted(self.addresses[low:high], np.uint64(address)))
            if found < high and int(self.addresses[found]) == address:
                return found
        return None

    def referents(self, node: int, strengths: int = ALL_STRENGTHS) -> U32:
        """Return the numbers of what an object refers to; `strengths` is a set of 1 << Strength."""
        edges = self.targets[int(self.starts[node]) : int(self.starts[node + 1])]
        if strengths != ALL_STRENGTHS:
            edges = edges[(strengths >> (edges >> STRENGTH_SHIFT)) & 1 != 0]
        return edges & np.uint32(NODE_MASK)

    def sources(self, edges: npt.NDArray[np.integer]) -> U32:
        """Return the numbers of what some references come from, given where they are in `targets`."""
        return (np.searchsorted(self.starts, edges.astype(np.uint64), side="right") - 1).astype(np.uint32)

    def type_address(self, node: int) -> int:
        """Return the address of an object's type."""
        return int(self.type_addresses[self.types[node]])

    def of_type(self, address: int) -> npt.NDArray[np.intp]:
        """Return the numbers of all objects of exactly the type at an address."""
        found = np.nonzero(self.type_addresses == np.uint64(address))[0]
        return np.nonzero(self.types == np.uint32(found[0]))[0] if len(found) else np.empty(0, np.intp)


@contextmanager
def open_for_graph(process: Process, python: Python, shapes: Shapes | None = None) -> Iterator[OpenHeap]:
    """Hold a heap of which a graph shall be built; `shapes` are those of the same target, if there are."""
    members = recipes(Shapes(python.objects) if shapes is None else shapes)
    with open_heap(process, python, members) as heap:
        yield heap


def build_graph(heap: OpenHeap, progress: Callable[[int, int], object] | None = None) -> HeapGraph:
    """Walk a heap that was opened by `open_for_graph`, and find out who refers to whom."""
    return _graph(heap, heap.native.graph(progress))


def build_part(heap: OpenHeap, first: Iterable[int], most: int) -> HeapGraph:
    """Find the `most` objects that are nearest to some, and who of them refers to whom."""
    addresses = array("Q", first)
    return replace(_graph(heap, heap.native.graph_near(addresses, most)), is_part=True)


def _graph(heap: OpenHeap, found: Mapping[str, BigBuffer | int]) -> HeapGraph:
    flags = _array(found, "flags", np.uint8)
    large = flags & LARGE != 0
    return HeapGraph(
        addresses=_array(found, "addresses", np.uint64),
        types=_array(found, "types", np.uint32),
        sizes=_array(found, "sizes", np.uint32),
        flags=flags,
        refcounts=_array(found, "refcounts", np.uint32),
        starts=_array(found, "starts", np.uint64),
        targets=_array(found, "targets", np.uint32),
        type_addresses=np.frombuffer(heap.native.types(), np.uint64),
        counters={name: value for name, value in found.items() if isinstance(value, int)},
        first_large=int(large.argmax()) if large.any() else len(flags),
    )


def _array(found: Mapping[str, BigBuffer | int], name: str, kind: type[Scalar]) -> npt.NDArray[Scalar]:
    buffer = found[name]
    assert not isinstance(buffer, int)
    return view(buffer, kind)
