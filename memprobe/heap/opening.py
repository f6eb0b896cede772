"""Take hold of a target's heap: its arenas, its other memory, and the C walk over both."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from memprobe.heap.plan import scan_plan
from memprobe.heap.recipes import edges_plan
from memprobe.heap.types import Members, TypeBook
from memprobe.native._heap import Heap
from memprobe.target.cpython.arenas import Arena
from memprobe.target.cpython.python import Python
from memprobe.target.memory.live import LiveMemory
from memprobe.target.proc.mappings import Mapping, read_mappings
from memprobe.target.proc.process import Process

_PAGE = 4096
_ANY, _CHUNKS_ONLY = 0, 1
_LARGEST_GUARD = 1 << 20
_NEVER_HEAP = ("[stack]", "[vvar]", "[vdso]", "[vsyscall]", "[uprobes]")


@dataclass(frozen=True, slots=True)
class OpenHeap:
    """A heap that can be walked."""

    native: Heap
    types: TypeBook
    python: Python
    arenas: tuple[Arena, ...]
    mappings: tuple[Mapping, ...]
    no_arenas: str
    """Why there are no arenas; empty if there are. The objects are then found among malloc's chunks."""


@contextmanager
def open_heap(process: Process, python: Python, members: Members | None = None) -> Iterator[OpenHeap]:
    """Hold a heap for one snapshot; `members` gives the recipes of types to who wants more than a census."""
    memory = python.objects.memory
    if not isinstance(memory, LiveMemory):
        raise TypeError("only the heap of a running process can be walked")
    mappings = read_mappings(process)
    arenas, reason = python.locate_arenas(mappings)
    arenas = _disjoint(arenas)
    types = TypeBook(python.objects) if members is None else TypeBook(python.objects, members)
    pagemap = process.folder.open("pagemap")
    try:
        native = Heap(
            *memory.descriptors,
            pagemap,
            _plan(python, mappings, with_edges=members is not None),
            array("Q", [number for arena in arenas for number in arena[:2]]),
            array("Q", [number for region in regions_outside(mappings, arenas) for number in region]),
            types.describe,
        )
        yield OpenHeap(native, types, python, tuple(arenas), mappings, reason)
    finally:
        os.close(pagemap)


def _plan(python: Python, mappings: Sequence[Mapping], with_edges: bool) -> dict[str, int]:
    type_type = type_of_types(python)
    plan = scan_plan(python.layout, type_type, mappings)
    return plan | edges_plan(python.objects, type_type, python.hexversion) if with_edges else plan


def type_of_types(python: Python) -> int:
    """Return the address of `type`."""
    exported = python.runtime.symbols.get("PyType_Type", 0)
    if exported:
        return exported
    modules = python.interpreters()[0].modules
    return python.objects.type_of(python.objects.type_of(modules))


def _disjoint(arenas: Sequence[Arena]) -> list[Arena]:
    """Sort arenas by address; of two that overlap (a lie, or caught while changing) the first stays."""
    kept: list[Arena] = []
    for arena in sorted(arenas):
        if not kept or arena.address >= kept[-1].address + kept[-1].size:
            kept.append(arena)
    return kept


def regions_outside(mappings: Sequence[Mapping], arenas: Sequence[Arena]) -> Iterator[tuple[int, int, int]]:
    """Yield (address, size, kind) of the anonymous memory in which objects can be, without the arenas."""
    guarded = 0
    for mapping in mappings:
        if _can_hold_objects(mapping):
            kind = _CHUNKS_ONLY if mapping.start == guarded else _ANY
            for start, end in _without(mapping, arenas):
                yield start, end - start, kind
        is_guard = mapping.permissions.startswith("---") and mapping.size <= _LARGEST_GUARD
        guarded = mapping.end if is_guard else 0


def room_of(heap: OpenHeap) -> int:
    """Return the bytes in which objects can be."""
    outside = sum(size for _, size, _ in regions_outside(heap.mappings, heap.arenas))
    return outside + sum(arena.size for arena in heap.arenas)


def _can_hold_objects(mapping: Mapping) -> bool:
    return (
        mapping.permissions.startswith("rw")
        and mapping.permissions[3] == "p"
        and not mapping.inode
        and mapping.path not in _NEVER_HEAP
        and not mapping.path.startswith("[anon:stack")
        and mapping.end <= 1 << 47
    )


def _without(mapping: Mapping, arenas: Sequence[Arena]) -> Iterator[tuple[int, int]]:
    """Yield the pieces of a mapping between the arenas in it; an arena lies in one mapping."""
    start = mapping.start
    for index in range(bisect_left(arenas, (mapping.start,)), len(arenas)):
        arena = arenas[index]
        if arena.address >= mapping.end:
            break
        if arena.address > start:
            yield start, arena.address
        start = arena.address + arena.size
    if start < mapping.end:
        yield start, mapping.end
