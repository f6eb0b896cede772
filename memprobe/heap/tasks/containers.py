"""What lies in lists, tuples, sets, deques and weak sets of the target: addresses, bounded.

A container may change while it is read. Its header is read before and after: if that moved, it is
read again, and after a few attempts the last reading is given as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from memprobe.heap.tasks.types import Types
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.instances import Instances
from memprobe.target.cpython.objects import BadObject, Objects, is_pointer

MAXIMUM_ITEMS = 1 << 20
"""Items of one container that are looked at; the rest is only counted."""

FIRST_ITEMS = 8
"""Of a tuple of arguments; the future that a timer completes is the first one."""

_ATTEMPTS = 4
# What is taken out of a set leaves a key that is no object of the program, and the hash -1.
_REMOVED = (1 << 64) - 1


class Items(NamedTuple):
    """What one container held."""

    total: int
    """How many items it says that it has."""

    addresses: list[int]
    """Those that were read, in their order."""

    steady: bool
    """False if it changed at every attempt."""


EMPTY = Items(0, [], True)


class Containers:
    """Reads containers of one target."""

    def __init__(self, objects: Objects, instances: Instances, types: Types) -> None:
        layout = objects.layout
        self._objects = objects
        self._instances = instances
        self._types = types
        self._size = layout.offset("PyVarObject.ob_size")
        self._list = layout.offset("PyListObject.ob_item")
        self._tuple = layout.offset("PyTupleObject.ob_item")
        self._set = Fields(layout, "PySetObject", "used:signed", "mask:signed", "table")
        self._entry = layout.size("setentry")
        self._key_and_hash = [layout.offset(f"setentry.{name}") // 8 for name in ("key", "hash")]
        self._deque = Fields(layout, "dequeobject", "leftblock", "leftindex:signed")
        self._block = [layout.offset(f"BLOCK.{name}") for name in ("data", "rightlink")]
        self._block_items = layout.constant("BLOCKLEN")
        self._referent = layout.offset("PyWeakReference.wr_object")
        self._readers: dict[str, Callable[[int, int], Items]] = {
            "list": self._list_items,
            "tuple": self._tuple_items,
            "set": self._set_items,
            "frozenset": self._set_items,
            "collections.deque": self._deque_items,
        }

    def items(self, address: int, limit: int = MAXIMUM_ITEMS) -> Items:
        """The items of a list, tuple, set or deque or of a subclass; EMPTY for anything else."""
        for base in self._types.bases(self._types.of(address)):
            reader = self._readers.get(self._types.name(base))
            if reader is not None:
                return _steady(partial(reader, address, limit))
        return EMPTY

    def first_of_tuples(self, addresses: Iterable[int]) -> dict[int, tuple[int, ...]]:
        """The first items of many tuples, in one batch; what is no tuple is left out."""
        types = self._types.of_many(addresses)
        wanted = [one for one, kind in types.items() if self._types.name(kind) == "tuple"]
        sizes = self._objects.memory.read_many([(one + self._size, 8) for one in wanted])
        counts = [min(int.from_bytes(size, "little"), FIRST_ITEMS) for size in sizes]
        regions = [(one + self._tuple, 8 * count) for one, count in zip(wanted, counts, strict=True)]
        blocks = self._objects.memory.read_many(regions)
        return {
            one: struct.unpack(f"<{count}Q", block)
            for one, count, block in zip(wanted, counts, blocks, strict=True)
            if len(block) == 8 * count
        }

    def weak_set(self, address: int, limit: int = MAXIMUM_ITEMS) -> Items:
        """What the references in a weakref.WeakSet lead to; those that are dead lead to None."""
        data = self._instances.attribute(address, "data")
        return self.referents(self.items(data, limit)) if data else EMPTY

    def referents(self, references: Items) -> Items:
        """What weak references lead to."""
        blocks = self._objects.memory.read_many([(one + self._referent, 8) for one in references.addresses])
        found = [int.from_bytes(block, "little") for block in blocks if len(block) == 8]
        return references._replace(addresses=[address for address in found if is_pointer(address)])

    def _count(self, address: int) -> int:
        block = self._objects.read(address + self._size, 8)
        count = int.from_bytes(block, "little", signed=True)
        if count < 0:
            raise BadObject(f"{count} items at {address:#x}")
        return count

    def _pointers(self, address: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}Q", self._objects.read(address, 8 * count)) if count > 0 else ()

    def _list_items(self, address: int, limit: int) -> Items:
        header = (address, self._list + 8)
        before = self._objects.read(*header)
        total = self._count(address)
        start = int.from_bytes(before[self._list :], "little")
        found = list(self._pointers(start, min(total, limit)))
        return Items(total, found, self._objects.read(*header) == before)

    def _tuple_items(self, address: int, limit: int) -> Items:
        total = self._count(address)
        return Items(total, list(self._pointers(address + self._tuple, min(total, limit))), True)

    def _set_items(self, address: int, limit: int) -> Items:
        before = self._objects.read(address, self._set.end)
        used, mask, table = self._set.unpack(before)
        if used < 0 or not used <= mask + 1 <= 8 * MAXIMUM_ITEMS:
            raise BadObject(f"a set of {used} items in {mask + 1} places at {address:#x}")
        words = self._pointers(table, (mask + 1) * self._entry // 8)
        step, places = self._entry // 8, self._key_and_hash
        entries = zip(*(words[first::step] for first in places), strict=True)
        keys = [key for key, mark in entries if mark != _REMOVED and is_pointer(key)]
        return Items(used, keys[:limit], self._objects.read(address, self._set.end) == before)

    def _deque_items(self, address: int, limit: int) -> Items:
        before = self._objects.read(address, self._deque.end)
        total = self._count(address)
        block, index = self._deque.unpack(before)
        if not 0 <= index <= self._block_items:
            raise BadObject(f"a deque that begins at {index} at {address:#x}")
        data, link = self._block
        found: list[int] = []
        wanted = min(total, limit)
        while len(found) < wanted and is_pointer(block):
            count = min(self._block_items - index, wanted - len(found))
            found += self._pointers(block + data + 8 * index, count)
            block, index = self._objects.pointer(block + link), 0
        return Items(total, found, self._objects.read(address, self._deque.end) == before)


def _steady(read: Callable[[], Items]) -> Items:
    """Read until a reading was not disturbed."""
    items = EMPTY
    for _ in range(_ATTEMPTS):
        items = read()
        if items.steady:
            break
    return items
