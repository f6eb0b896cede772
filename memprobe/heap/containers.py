"""Containers that are watched: chosen once, then only their sizes are read, all in one system call.

    chosen     the largest, and those that grew most between two graphs
    each look  of every container its header (type and size), and of its holder the word that refers to it

The address of a container that has died comes back as another one, often of the same type: so the reference
to it is looked at, too. When that word has changed, the holder is searched again: it may only have moved its
table. A container that nobody refers to any more where it was has died, as far as this can see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import numpy.typing as npt

from memprobe.heap import lengths
from memprobe.heap.holders import Holders
from memprobe.heap.references import Role
from memprobe.heap.slots import Slot, SlotFinder
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.python import Python

MAXIMUM_WATCHED = 340
"""Three regions each: what one process_vm_readv takes (IOV_MAX is 1,024)."""

LEAST_LENGTH = 50
"""Smaller containers are not watched."""

LEAST_GROWTH = 10
"""Less is not growth."""

_WORD = 8
_AT_ONCE = 1 << 16
_REGIONS = 3
_TAGS = 3


class Life(Enum):
    """What is known of a container at the last look."""

    ALIVE = "alive"
    DEAD = "dead"
    """Freed, or another object is there now."""

    LOST = "lost"
    """It is still there, but its holder does not refer to it any more."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One container that is watched."""

    path: str
    address: int
    type_address: int
    type: str
    """The C type it is built on: "dict", "list", "set", "collections.deque"."""

    owner: int
    """The object that refers to it, 0 if it is a root."""

    slot: Slot
    """Where in memory that reference is."""

    length: int
    life: Life = Life.ALIVE


class Containers:
    """Re-reads the sizes of containers of one target."""

    def __init__(self, python: Python) -> None:
        layout = python.layout
        self._objects = python.objects
        self._memory = python.objects.memory
        self._slots = SlotFinder(python)
        self._header = Fields(layout, "PyObject", "ob_refcnt:signed", "ob_type")
        self._sizes = size_fields(python)
        self._head = max(self._sizes.values()) + _WORD
        self._watched: tuple[Watched, ...] = ()

    def watch(self, wanted: Iterable[Watched]) -> tuple[Watched, ...]:
        """Begin to watch containers; more than MAXIMUM_WATCHED are left out."""
        known = {one.address: one for one in wanted}
        found = []
        for one in list(known.values())[:MAXIMUM_WATCHED]:
            slot = self._slots.find(one.owner, one.address) if one.owner else Slot(0)
            found.append(replace(one, slot=slot))
        self._watched = tuple(found)
        return self._watched

    def look(self) -> tuple[Watched, ...]:
        """Read the sizes again; what has died comes once more, as dead, and then no more."""
        current = self._watched
        blocks = self._memory.read_many(self._regions(current))
        found = tuple(
            self._judge(one, *blocks[_REGIONS * index : _REGIONS * (index + 1)])
            for index, one in enumerate(current)
        )
        self._watched = tuple(one for one in found if one.life is Life.ALIVE)
        return found

    def _regions(self, watched: Sequence[Watched]) -> list[tuple[int, int]]:
        regions: list[tuple[int, int]] = []
        for one in watched:
            regions.append((one.address, self._head))
            regions += [(place, _WORD if place else 0) for place in one.slot[:2]]
        return regions

    def _judge(self, one: Watched, head: bytes, reference: bytes, table: bytes) -> Watched:
        """Say what has become of a container, given what was read."""
        if len(head) < self._head:
            return replace(one, life=Life.DEAD)
        count, kind = self._header.unpack(head)
        length = int.from_bytes(head[self._sizes[one.type] :][:_WORD], "little", signed=True)
        if kind != one.type_address or count <= 0 or length < 0:
            return replace(one, life=Life.DEAD)
        if one.slot.address and not _refers(one, reference, table):
            slot = self._slots.find(one.owner, one.address)
            if not slot.address:
                return replace(one, life=Life.LOST)
            one = replace(one, slot=slot)
        return one if length == one.length else replace(one, length=length)


def _refers(one: Watched, reference: bytes, table: bytes) -> bool:
    """Say whether a holder still refers to a container where it did, given what was read."""
    if one.slot.anchor and int.from_bytes(table, "little") != one.slot.table:
        return False
    return int.from_bytes(reference, "little") & ~_TAGS == one.address


def size_fields(python: Python) -> dict[str, int]:
    """Return where each kind of container that can grow has its size."""
    return {
        kind: offset for kind, offset in lengths.size_fields(python.layout).items() if kind != "frozenset"
    }


class Candidates:
    """The containers of one graph, with their lengths."""

    def __init__(self, python: Python, holders: Holders) -> None:
        self._memory = python.objects.memory
        self._holders = holders
        self._sizes = size_fields(python)
        graph = holders.graph
        bases = [holders.members.base_name(int(kind)) for kind in graph.type_addresses]
        self._bases = np.array([base if base in self._sizes else "" for base in bases])
        # What has so many entries has a table of that many words at least: most dicts fall at once.
        large = graph.sizes >= LEAST_LENGTH * _WORD
        self.nodes = np.flatnonzero((self._bases != "")[graph.types] & large)
        self.lengths = self._lengths()

    def by_address(self) -> dict[int, int]:
        """Return the lengths of those worth comparing with, by address."""
        worth = self.lengths >= LEAST_LENGTH
        addresses = self._holders.graph.addresses[self.nodes[worth]]
        return dict(zip(addresses.tolist(), self.lengths[worth].tolist(), strict=True))

    def choose(self, before: Mapping[int, int] | None = None, *, most: int = 100) -> tuple[Watched, ...]:
        """Choose the containers worth watching: those that grew most since `before`, then the largest."""
        growth = np.zeros(len(self.nodes), np.int64)
        if before is not None:
            addresses = self._holders.graph.addresses[self.nodes].tolist()
            growth += self.lengths - np.array([before.get(one, 0) for one in addresses], np.int64)
        ranked = np.lexsort((-self.lengths, -np.where(growth >= LEAST_GROWTH, growth, 0)))
        worth = [index for index in ranked[: 4 * most].tolist() if self.lengths[index] >= LEAST_LENGTH]
        placed = (self._placed(index) for index in worth)
        return tuple(one for one, _ in zip((one for one in placed if one), range(most), strict=False))

    def _placed(self, index: int) -> Watched | None:
        """Say where a container is; None for the tables of the interpreter itself."""
        graph, node = self._holders.graph, int(self.nodes[index])
        path = self._holders.path_to(node)
        if path is None or path.places[-1].role is Role.NAMESPACE:
            return None
        owner = path.places[-2].address if len(path.places) > 1 else 0
        return Watched(
            path=path.text,
            address=int(graph.addresses[node]),
            type_address=graph.type_address(node),
            type=str(self._bases[graph.types[node]]),
            owner=owner,
            slot=Slot(0),
            length=int(self.lengths[index]),
        )

    def _lengths(self) -> npt.NDArray[np.int64]:
        """Read the sizes of all containers, in order of address."""
        graph = self._holders.graph
        offsets = np.array([self._sizes.get(base, 0) for base in self._bases], np.uint64)
        places = (graph.addresses[self.nodes] + offsets[graph.types[self.nodes]]).tolist()
        found = np.zeros(len(places), np.int64)
        for start in range(0, len(places), _AT_ONCE):
            part = places[start : start + _AT_ONCE]
            buffer = bytearray(_WORD * len(part))
            self._memory.read_into([(place, _WORD) for place in part], memoryview(buffer))
            found[start : start + _AT_ONCE] = np.frombuffer(buffer, np.int64)
        return np.where((found >= 0) & (found < 1 << 48), found, 0)
