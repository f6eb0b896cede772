"""Strings, integers and bytes of the target, read from outside and bounded.

Whoever reads objects catches UNREADABLE: what is behind a pointer may have been freed, may be
half written, or may be there to hurt.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from memprobe.errors import ReadFault
from memprobe.target.cpython.fields import Fields
from memprobe.target.layouts import Layout
from memprobe.vocab import Memory

MAXIMUM_CHARACTERS = 16_384
"""A name longer than this is cut; PATH_MAX is 4,096."""

MAXIMUM_BYTES = 1 << 20
"""A bytes object longer than this is refused. The largest line table of the stdlib has 40 kB."""

MAXIMUM_IN_ALL_BYTES = 32 << 20
"""Of all objects that are asked for at once; what does not fit any more is left out."""

_BATCH = 4096
_MAXIMUM_DIGITS = 64
_FIRST_READ = 160  # a header and 100 characters: 99 of 100 names
_LOWEST_ADDRESS = 4096
_HIGHEST_ADDRESS = 1 << 48

_CODECS = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}


class BadObject(Exception):
    """What is at an address is not what it should be; inside only, as ReadFault is."""


UNREADABLE = (ReadFault, BadObject, struct.error)
"""All that a reader of target data raises because of the data."""


class Span(NamedTuple):
    """Where the characters of a string are."""

    address: int
    size: int
    codec: str


def is_pointer(address: int) -> bool:
    """Say whether an object can be at this address: user space, and aligned."""
    return _LOWEST_ADDRESS <= address < _HIGHEST_ADDRESS and not address & 7


class Objects:
    """Reads plain objects of one target."""

    def __init__(self, memory: Memory, layout: Layout) -> None:
        self.memory = memory
        self.layout = layout
        self._header = Fields(layout, "PyObject", "ob_type")
        self._type = Fields(layout, "PyTypeObject", "tp_name")
        self._string = Fields(layout, "PyASCIIObject", "length:signed", "state")
        self._bits = [layout.bits(f"PyASCIIObject.state.{name}") for name in ("kind", "compact", "ascii")]
        self._data_offsets = layout.size("PyCompactUnicodeObject"), layout.size("PyASCIIObject")
        self._foreign_data = layout.offset("PyUnicodeObject.data")
        self._size_offset = layout.offset("PyVarObject.ob_size")
        self._bytes_data = layout.offset("PyBytesObject.ob_sval")
        self._list_data = layout.offset("PyListObject.ob_item")
        self._long_flagged = layout.has("PyLongObject.long_value.lv_tag")
        digits = "PyLongObject.long_value.ob_digit" if self._long_flagged else "PyLongObject.ob_digit"
        self._digits = layout.offset(digits)

    def read(self, address: int, size: int) -> bytes:
        """Read memory behind a pointer that the target gave."""
        if not is_pointer(address):
            raise BadObject(f"{address:#x} is no pointer")
        return self.memory.read(address, size)

    def pointer(self, address: int) -> int:
        """Read one word."""
        return int.from_bytes(self.read(address, 8), "little")

    def type_of(self, address: int) -> int:
        """Return the address of an object's type."""
        return self._header.unpack(self.read(address, self._header.end))[0]

    def type_name(self, type_address: int) -> str:
        """Return tp_name of a type: "dict", "collections.deque"."""
        name = self._type.unpack(self.read(type_address, self._type.end))[0]
        # tp_name is a C string and need not be aligned.
        (block,) = self.memory.read_many([(name, 256)])
        return block.partition(b"\0")[0].decode("utf-8", "replace")

    def string(self, address: int) -> str:
        """Read a str object; longer than MAXIMUM_CHARACTERS it is cut."""
        found = self.strings([address])
        if address not in found:
            raise BadObject(f"no string at {address:#x}")
        return found[address]

    def strings(
        self, addresses: Iterable[int], maximum_characters: int = MAXIMUM_CHARACTERS
    ) -> dict[int, str]:
        """Read many str objects in few batches; what is none is left out, what is longer is cut."""
        found: dict[int, str] = {}
        left = MAXIMUM_IN_ALL_BYTES
        for wanted in _batches(addresses):
            blocks = self.memory.read_many([(address, _FIRST_READ) for address in wanted])
            spans: dict[int, Span] = {}
            for address, block in zip(wanted, blocks, strict=True):
                span = self._span(address, block, maximum_characters)
                start = -1 if span is None else span.address - address
                if span is None or span.size > left:
                    continue
                left -= span.size
                if start >= 0 and start + span.size <= len(block):
                    _decode_into(found, address, block[start : start + span.size], span)
                else:
                    spans[address] = span
            blocks = self.memory.read_many([(span.address, span.size) for span in spans.values()])
            for (address, span), block in zip(spans.items(), blocks, strict=True):
                _decode_into(found, address, block, span)
        return found

    def _span(self, address: int, block: bytes, maximum_characters: int) -> Span | None:
        """Say where the characters of a str are, given its first bytes."""
        if len(block) < self._string.end:
            return None
        length, state = self._string.unpack(block)
        kind, compact, is_ascii = (bits.extract(state) for bits in self._bits)
        if length < 0 or kind not in _CODECS:
            return None
        size = min(length, maximum_characters) * kind
        if compact:
            return Span(address + self._data_offsets[is_ascii], size, _CODECS[kind])
        foreign = block[self._foreign_data : self._foreign_data + 8]
        return Span(int.from_bytes(foreign, "little"), size, _CODECS[kind])

    def bytes_objects(self, addresses: Iterable[int]) -> dict[int, bytes]:
        """Read many bytes objects in few batches; what is none is left out."""
        found: dict[int, bytes] = {}
        left = MAXIMUM_IN_ALL_BYTES
        for wanted in _batches(addresses):
            blocks = self.memory.read_many([(address, 2 * _FIRST_READ) for address in wanted])
            long: list[tuple[int, int]] = []
            for address, block in zip(wanted, blocks, strict=True):
                size = self._bytes_size(block)
                if size > min(MAXIMUM_BYTES, left):
                    continue
                left -= size
                if self._bytes_data + size <= len(block):
                    found[address] = block[self._bytes_data : self._bytes_data + size]
                else:
                    long.append((address, size))
            blocks = self.memory.read_many([(address + self._bytes_data, size) for address, size in long])
            for (address, size), block in zip(long, blocks, strict=True):
                if len(block) == size:
                    found[address] = block
        return found

    def list_items(self, address: int, limit: int) -> list[int]:
        """Return the addresses of the first items of a list; none of what is no list."""
        if self.type_name(self.type_of(address)) != "list":
            return []
        size = int.from_bytes(self.read(address + self._size_offset, 8), "little", signed=True)
        count = max(0, min(size, limit))
        block = self.read(self.pointer(address + self._list_data), 8 * count) if count else b""
        return list(struct.unpack(f"<{count}Q", block))

    def _bytes_size(self, block: bytes) -> int:
        if len(block) < self._bytes_data:
            return MAXIMUM_BYTES + 1
        return int.from_bytes(block[self._size_offset : self._size_offset + 8], "little")

    def integer(self, address: int) -> int:
        """Read an int object of up to 64 digits."""
        block = self.read(address, self._digits)
        size = int.from_bytes(block[self._size_offset : self._size_offset + 8], "little", signed=True)
        if self._long_flagged:
            # lv_tag: the sign in the two lowest bits (0, zero, negative), one flag, then the count.
            size, negative = size >> 3, size & 3 == 2
        else:
            size, negative = abs(size), size < 0
        if not 0 <= size <= _MAXIMUM_DIGITS:
            raise BadObject(f"an int of {size} digits at {address:#x}")
        block = self.memory.read(address + self._digits, 4 * size) if size else b""
        digits = struct.unpack(f"<{size}I", block)
        return -_join(digits) if negative else _join(digits)


def _batches(addresses: Iterable[int]) -> Iterator[list[int]]:
    """Cut addresses, each once, into lists that are read together."""
    wanted = [address for address in dict.fromkeys(addresses) if is_pointer(address)]
    for start in range(0, len(wanted), _BATCH):
        yield wanted[start : start + _BATCH]


def _join(digits: Sequence[int]) -> int:
    """Compose the 30-bit digits of an int, the lowest first."""
    return sum(digit << (30 * index) for index, digit in enumerate(digits))


def _decode_into(found: dict[int, str], address: int, data: bytes, span: Span) -> None:
    if len(data) < span.size:
        return
    try:
        # Lone surrogates are legal in a str: file names that are not UTF-8 have them.
        found[address] = str(data, span.codec, "strict" if span.codec == "latin-1" else "surrogatepass")
    except UnicodeDecodeError:
        pass
