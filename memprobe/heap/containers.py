"""Containers whose lengths can be read again by themselves, without another look at the heap.

The address of a container that has died comes back as another one, often of the same type: so with its length
goes the word of its holder that refers to it. Who reads them is `looker.lengths`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from memprobe.heap import lengths
from memprobe.heap.slots import Slot, SlotFinder
from memprobe.target.cpython.python import Python

Place = tuple[int, int, int, int, int, int]
"""Address, type, where in it the length is; and slot, anchor and table of the reference that keeps it."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One container that can be watched."""

    address: int
    type_address: int
    type: str
    """The C type it is built on: "dict", "list", "set", "collections.deque"."""

    owner: int
    """The object that refers to it, 0 if it is a root."""


def size_fields(python: Python) -> dict[str, int]:
    """Return where each kind of container that can grow has its size."""
    return {
        kind: offset for kind, offset in lengths.size_fields(python.layout).items() if kind != "frozenset"
    }


def places_of(python: Python, containers: Iterable[Watched]) -> list[Place]:
    """Return where the lengths of containers are, and the references that keep them."""
    slots, sizes = SlotFinder(python), size_fields(python)
    return [(one.address, one.type_address, sizes[one.type], *_slot(slots, one)) for one in containers]


def _slot(slots: SlotFinder, one: Watched) -> Slot:
    return slots.find(one.owner, one.address) if one.owner else Slot(0)
