"""Where functions begin, from the table that exceptions are unwound by: a stripped binary keeps it.

.eh_frame_hdr is a sorted list of (first address, place of the rest) of every function and of every
part that the compiler has put elsewhere (".cold"). How long one is it does not say: up to the next at most.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from memprobe.target.binary.elf import BadElf, Symbol
from memprobe.target.binary.sections import Section, section_content

FUNCTION_LIMIT = 64 << 10
"""Bytes: the evaluation loop is longer, but nobody looks for it here."""

_HEAD = struct.Struct("<BBBBiI")
_POINTER_RELATIVE, _UNSIGNED, _TABLE_RELATIVE = 0x1B, 0x03, 0x3B
"""DW_EH_PE: pcrel|sdata4, udata4, datarel|sdata4: what every linker writes."""


class Functions:
    """The functions of a binary, nameless."""

    def __init__(self, starts: Sequence[int]) -> None:
        self._starts = starts

    def beginning_at(self, address: int) -> Symbol | None:
        """The function that begins there; None if none does."""
        found = self.around(address)
        return found if found is not None and found.address == address else None

    def around(self, address: int) -> Symbol | None:
        """The function that an address lies in, or that ends before it."""
        after = bisect_right(self._starts, address)
        if not after:
            return None
        start = self._starts[after - 1]
        end = self._starts[after] if after < len(self._starts) else start + FUNCTION_LIMIT
        return Symbol("", start, min(end - start, FUNCTION_LIMIT))


def read_functions(descriptor: int, sections: Mapping[str, Section]) -> Functions:
    """Read the table; BadElf if there is none, or one of another kind."""
    section = sections.get(".eh_frame_hdr")
    if section is None:
        raise BadElf("no table of functions")
    return Functions(starts_in(section_content(descriptor, section), section.address))


def starts_in(content: bytes, address: int) -> list[int]:
    """The first addresses in a table that is loaded at `address`; in order."""
    if len(content) < _HEAD.size:
        raise BadElf("a table of functions that is cut off")
    version, pointer, count_kind, kind, _, count = _HEAD.unpack_from(content)
    if (version, pointer, count_kind, kind) != (1, _POINTER_RELATIVE, _UNSIGNED, _TABLE_RELATIVE):
        raise BadElf("a table of functions of another kind")
    count = min(count, (len(content) - _HEAD.size) // 8)
    numbers = struct.unpack_from(f"<{2 * count}i", content, _HEAD.size)
    return sorted({address + distance for distance in numbers[::2]})
