"""Some fields of one C struct, read and unpacked together."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from operator import itemgetter

from memprobe.errors import LayoutCheckFailed
from memprobe.target.layouts import Layout
from memprobe.vocab import Memory

_UNSIGNED = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Fields:
    """Some fields of one C struct: one read, one unpack, a tuple of integers.

    Fields are unsigned as wide as the layout says; "name:signed" makes one signed.
    The tuple has them in the order in which they were named.
    """

    __slots__ = ("_in_order", "_struct", "end", "start")

    def __init__(self, layout: Layout, name: str, *fields: str) -> None:
        places = [_place(layout, name, field) for field in fields]
        ascending = sorted(range(len(places)), key=lambda index: places[index][0])
        self.start = places[ascending[0]][0]
        self._struct = struct.Struct(_format([places[index] for index in ascending], self.start))
        self.end = self.start + self._struct.size
        rank = [ascending.index(index) for index in range(len(places))]
        self._in_order = None if rank == sorted(rank) else itemgetter(*rank)

    def read(self, memory: Memory, address: int) -> tuple[int, ...]:
        """Read the fields of the struct at an address, or raise ReadFault."""
        data = memory.read(address + self.start, self.end - self.start)
        return self.unpack(data, -self.start)

    def read_many(self, memory: Memory, addresses: Sequence[int]) -> list[tuple[int, ...] | None]:
        """Read the fields of many structs in one batch; None where the memory is not readable."""
        size = self.end - self.start
        blocks = memory.read_many([(address + self.start, size) for address in addresses])
        return [self.unpack(block, -self.start) if len(block) == size else None for block in blocks]

    def unpack(self, data: bytes | memoryview, at: int = 0) -> tuple[int, ...]:
        """Unpack the fields of the struct that begins at index `at`; struct.error if cut off."""
        values: tuple[int, ...] = self._struct.unpack_from(data, at + self.start)
        return values if self._in_order is None else self._in_order(values)


def _place(layout: Layout, name: str, field: str) -> tuple[int, str]:
    """Return the offset of a field and its letter in a struct format."""
    field, _, sign = field.partition(":")
    letter = _UNSIGNED[layout.size(f"{name}.{field}")]
    return layout.offset(f"{name}.{field}"), letter.lower() if sign else letter


def _format(places: list[tuple[int, str]], start: int) -> str:
    """Compose a struct format from ascending places, with pad bytes between them."""
    parts = ["<"]
    for offset, letter in places:
        if offset < start:
            # No table says so: these are offsets that the process itself carries (3.13 and later).
            raise LayoutCheckFailed(
                "the layout check 'debug offsets' failed: two fields of one struct would overlap",
                remedy="a patched CPython is not supported",
            )
        parts.append(f"{offset - start}x{letter}")
        start = offset + struct.calcsize(letter)
    return "".join(parts)
