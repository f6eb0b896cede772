"""Attributes of instances by name: those in their dict and those in slots."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from memprobe.heap.tasks.types import Types
from memprobe.target.cpython.dictionaries import Dictionaries
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.instances import Instances
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer

MAXIMUM_SLOT_OFFSET = 1 << 16
"""A slot lies within its object; no class has eight thousand of them."""

_MAXIMUM_SLOTS = 256


class Attributes:
    """Reads the attributes of instances of one target."""

    def __init__(
        self, objects: Objects, dictionaries: Dictionaries, instances: Instances, types: Types
    ) -> None:
        layout = objects.layout
        self._objects = objects
        self._dictionaries = dictionaries
        self._instances = instances
        self._types = types
        self._member = layout.offset("PyMemberDescrObject.d_member")
        self._offset = Fields(layout, "PyMemberDef", "offset:signed")
        self._slots: dict[int, Mapping[str, int]] = {}

    def of(self, address: int) -> dict[str, int]:
        """The addresses of the values of one instance's attributes; those that are not set are left out."""
        values = self.slots_of([address]).get(address, {})
        try:
            items = self._instances.attributes(address)
        except UNREADABLE:
            return values
        names = self._objects.strings(key for key, _ in items)
        return values | {names[key]: value for key, value in items if key in names}

    def slots_of(self, addresses: Iterable[int]) -> dict[int, dict[str, int]]:
        """The values in the slots of many instances, in one batch for all of one class."""
        found: dict[int, dict[str, int]] = {}
        by_type: dict[int, list[int]] = {}
        for address, kind in self._types.of_many(addresses).items():
            by_type.setdefault(kind, []).append(address)
        for kind, instances in by_type.items():
            slots = self.slots(kind)
            size = max(slots.values(), default=-8) + 8
            blocks = self._objects.memory.read_many([(one, size) for one in instances]) if slots else []
            for address, block in zip(instances, blocks, strict=False):
                if len(block) == size:
                    values = {name: _word(block, offset) for name, offset in slots.items()}
                    found[address] = {name: value for name, value in values.items() if value}
        return found

    def slots(self, kind: int) -> Mapping[str, int]:
        """Where a class and its bases keep their slots, by name."""
        if kind not in self._slots:
            slots: dict[str, int] = {}
            for base in reversed(self._types.bases(kind)):
                try:
                    slots |= self._own_slots(base)
                except UNREADABLE:
                    continue
            self._slots[kind] = slots
        return self._slots[kind]

    def _own_slots(self, kind: int) -> dict[str, int]:
        namespace = self._types.namespace(kind)
        items = self._dictionaries.named_items(namespace) if is_pointer(namespace) else {}
        types = self._types.of_many(items.values())
        described = [
            (name, value)
            for name, value in items.items()
            if self._types.name(types.get(value, 0)) == "member_descriptor"
        ][:_MAXIMUM_SLOTS]
        found = {}
        for name, descriptor in described:
            member = self._objects.pointer(descriptor + self._member)
            (offset,) = self._offset.read(self._objects.memory, member)
            if 0 < offset < MAXIMUM_SLOT_OFFSET and not offset & 7:
                found[name] = offset
        return found


def _word(block: bytes, offset: int) -> int:
    (value,) = struct.unpack_from("<Q", block, offset)
    return int(value)
