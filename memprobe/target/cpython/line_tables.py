"""From an offset in a code object's instructions to the source line.

CPython has had three formats: `co_lnotab` (to 3.9), the `co_linetable` of PEP 626 (3.10) and the
location table (3.11 and later). All three are walked the same way here: as half-open ranges of byte
offsets, each with its line. Offsets are bytes from the first instruction, never code units.

    version      table          entries
    3.8, 3.9     lnotab         (offset delta: u8, line delta: s8) pairs
    3.10         PEP 626        (length: u8, line delta: s8) pairs, -128 means "no line"
    3.11 - 3.15  locations      1 kkkk lll, then 0 or more bytes by kind, see `_location_delta`
"""

from __future__ import annotations

from collections.abc import Iterator

NO_LINE = 0
"""What stands for "this instruction belongs to no line"."""

# Lines are C ints in the target; a table that leads outside of them is not a line table.
_MAXIMUM_LINE = 2**31 - 1

# Variable-length integers carry 6 bits a byte; a line delta fits into 6 bytes, more is damage.
_MAXIMUM_VARINT_BYTES = 6

_KIND_NONE = 15
_KIND_LONG = 14
_KIND_NO_COLUMNS = 13
_KIND_ONE_LINE_0 = 10

Range = tuple[int, int, int]
"""First byte offset, the offset after the last, line (NO_LINE for none)."""


def line_ranges(version: tuple[int, int], table: bytes, first_line: int) -> Iterator[Range]:
    """Yield the (start, end, line) ranges of a line table in ascending order.

    A damaged table ends the walk early and is never an error.
    """
    if version >= (3, 11):
        return _location_ranges(table, first_line)
    if version == (3, 10):
        return _pep626_ranges(table, first_line)
    return _lnotab_ranges(table, first_line)


def line_at(version: tuple[int, int], table: bytes, first_line: int, offset: int) -> int:
    """Return the line of the instruction at a byte offset, or NO_LINE.

    An offset below zero is a frame that has not begun; it stands on the first line.
    """
    if offset < 0:
        return first_line
    for start, end, line in line_ranges(version, table, first_line):
        if start <= offset < end:
            return line
    return NO_LINE


def _lnotab_ranges(table: bytes, first_line: int) -> Iterator[Range]:
    """Walk pairs as PyCode_Addr2Line of 3.8 does: the last range has no end."""
    start = offset = 0
    line = first_line
    for index in range(0, len(table) - 1, 2):
        if table[index]:
            offset += table[index]
            yield start, offset, _checked(line)
            start = offset
        line += _signed(table[index + 1])
    yield start, _MAXIMUM_LINE, _checked(line)


def _pep626_ranges(table: bytes, first_line: int) -> Iterator[Range]:
    """Walk the (length, line delta) pairs of PEP 626."""
    start = 0
    line = first_line
    for index in range(0, len(table) - 1, 2):
        end = start + table[index]
        delta = _signed(table[index + 1])
        if delta == -128:
            yield start, end, NO_LINE
        else:
            line += delta
            yield start, end, _checked(line)
        start = end


def _location_ranges(table: bytes, first_line: int) -> Iterator[Range]:
    """Walk the location table, of which only the lines are of interest."""
    start = index = 0
    line = first_line
    size = len(table)
    while index < size:
        first = table[index]
        kind = first >> 3 & 15
        end = start + 2 * ((first & 7) + 1)
        if kind < _KIND_NO_COLUMNS:
            line += max(0, kind - _KIND_ONE_LINE_0)
        elif kind != _KIND_NONE:
            line += _signed_varint(table, index + 1)
        yield start, end, NO_LINE if kind == _KIND_NONE else _checked(line)
        start = end
        index = _next_entry(table, index + 1)


def _next_entry(table: bytes, index: int) -> int:
    """Skip to the next byte with the top bit set: only the first byte of an entry has it."""
    while index < len(table) and not table[index] & 0x80:
        index += 1
    return index


def _signed_varint(table: bytes, index: int) -> int:
    """Decode a zigzag varint of 6 bits a byte, the lowest first."""
    value = 0
    for count, byte in enumerate(table[index : index + _MAXIMUM_VARINT_BYTES]):
        value |= (byte & 63) << (6 * count)
        if not byte & 64:
            break
    return -(value >> 1) if value & 1 else value >> 1


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _checked(line: int) -> int:
    return line if 0 < line <= _MAXIMUM_LINE else NO_LINE
