"""Facts about one ELF binary, read from its file or from the memory of a process that runs it.

What the dynamic linker needs (program headers, the dynamic section, its hash tables, symbols and
notes) is part of the loaded image, so one small reader serves files and memory alike; it costs a
few reads. Sections exist only in files: `sections` has them.

Every number in here may be made up by a hostile target: sizes are bounded, walks are counted.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
DYNAMIC = struct.Struct("<qQ")
SYMBOL = struct.Struct("<IBBHQQ")
GNU_HASH_HEADER = struct.Struct("<4I")
NOTE = struct.Struct("<3I")

PAGE = 4096
SEGMENTS_LIMIT = 256
DYNAMIC_LIMIT = 64 << 10
NOTES_LIMIT = 64 << 10
NAME_LIMIT = 512
CHAIN_LIMIT = 4096
NEEDED_LIMIT = 256

ET_EXEC, ET_DYN = 2, 3
MACHINES = {62: "x86_64", 183: "aarch64"}
PT_LOAD, PT_DYNAMIC, PT_NOTE = 1, 2, 4
PF_X, PF_W = 1, 2
DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_SONAME = 1, 4, 5, 6, 14
DT_GNU_HASH = 0x6FFFFEF5
POINTERS = frozenset({DT_HASH, DT_STRTAB, DT_SYMTAB, DT_GNU_HASH})
NT_GNU_BUILD_ID = 3

Reader = Callable[[int, int], bytes]
"""Called with an offset and a size; may return less."""


class BadElf(Exception):
    """Not an ELF binary that memprobe can use; never shown to the user as such."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One PT_LOAD program header."""

    offset: int
    """Where it starts in the file."""

    address: int
    """Where it starts before the load bias is added."""

    file_size: int
    """Bytes that come from the file."""

    memory_size: int
    """Bytes it takes in memory; more than in the file for .bss."""

    flags: int
    """PF_X, PF_W, PF_R."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A defined symbol."""

    name: str
    """Its name."""

    address: int
    """Before the load bias is added."""

    size: int
    """Bytes, 0 if not said."""


class Binary:
    """An ELF binary: its segments, its dynamic symbols and its build id."""

    def __init__(self, read: Reader, *, loaded_at: int | None = None) -> None:
        """Read the headers; `loaded_at` is the address of the ELF header if `read` reads memory."""
        self._read = read
        self._loaded_at = loaded_at
        # The headers, the build id and most hash tables start in the first page.
        self._first_page = read(0, PAGE)
        header = self._unpack(HEADER, self._raw(0, HEADER.size))
        ident, self.type, machine, _, self.entry, table = header[:6]
        if ident[:6] != b"\x7fELF\x02\x01" or self.type not in (ET_EXEC, ET_DYN):
            raise BadElf("not a 64-bit little-endian ELF binary")
        self.machine = MACHINES.get(machine, f"machine {machine}")
        self._headers = self._program_headers(table, header[9], header[10])
        self.segments = tuple(
            Segment(offset, address, file_size, memory_size, flags)
            for kind, flags, offset, address, _, file_size, memory_size, _ in self._headers
            if kind == PT_LOAD
        )
        if not self.segments:
            raise BadElf("nothing to load")

    @property
    def base(self) -> int:
        """The page where the first segment starts, before the load bias is added."""
        first = self.segments[0]
        return (first.address - first.offset) & -PAGE

    @property
    def bias(self) -> int:
        """What to add to addresses; known only if the binary is read from memory."""
        return 0 if self._loaded_at is None else self._loaded_at - self.base

    def read_virtual(self, address: int, size: int) -> bytes:
        """Read at an address before bias; may return less, also nothing."""
        if self._loaded_at is not None:
            return self._raw(address - self.base, size)
        for segment in self.segments:
            inside = address - segment.address
            if 0 <= inside < segment.file_size:
                return self._raw(segment.offset + inside, min(size, segment.file_size - inside))
        return b""

    @cached_property
    def build_id(self) -> str:
        """The build id in hexadecimal; empty if there is none."""
        for kind, _, _, address, _, size, _, _ in self._headers:
            if kind == PT_NOTE:
                notes = self.read_virtual(address, min(size, NOTES_LIMIT))
                for owner, note_type, content in _notes(notes):
                    if (owner, note_type) == (b"GNU\0", NT_GNU_BUILD_ID):
                        return content[:64].hex()
        return ""

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """The names of the shared libraries it asks for."""
        offsets = [value for tag, value in self._dynamic if tag == DT_NEEDED]
        return tuple(self._dynamic_name(offset) for offset in offsets[:NEEDED_LIMIT])

    @cached_property
    def soname(self) -> str:
        """The name it gives itself; empty if none."""
        offset = self._tags.get(DT_SONAME)
        return "" if offset is None else self._dynamic_name(offset)

    def symbol(self, name: str) -> Symbol | None:
        """Look a defined dynamic symbol up through the hash table of the binary."""
        if DT_GNU_HASH in self._tags:
            return self._find(name, self._gnu_candidates(name))
        if DT_HASH in self._tags:
            return self._find(name, self._sysv_candidates(name))
        return None

    def biases(self, start: int, offset: int, executable: bool) -> Iterator[int]:
        """Yield the load biases that would map a segment of this file to `start`."""
        for segment in self.segments:
            end = segment.offset + segment.file_size
            same_kind = bool(segment.flags & PF_X) == executable
            if same_kind and segment.offset & -PAGE <= offset < end:
                yield start - offset + segment.offset - segment.address

    @cached_property
    def _dynamic(self) -> list[tuple[int, int]]:
        for kind, _, _, address, _, size, _, _ in self._headers:
            if kind == PT_DYNAMIC:
                raw = self.read_virtual(address, min(size, DYNAMIC_LIMIT))
                raw = raw[: len(raw) // DYNAMIC.size * DYNAMIC.size]
                return [(tag, self._unrelocated(tag, value)) for tag, value in DYNAMIC.iter_unpack(raw)]
        return []

    @cached_property
    def _tags(self) -> dict[int, int]:
        return dict(self._dynamic)

    def _unrelocated(self, tag: int, value: int) -> int:
        # glibc adds the bias to the pointers of a loaded dynamic section, musl does not.
        if tag in POINTERS and self._loaded_at is not None and value >= self._loaded_at:
            return value - self.bias
        return value

    def _dynamic_name(self, offset: int) -> str:
        raw = self.read_virtual(self._tags.get(DT_STRTAB, 0) + offset, NAME_LIMIT)
        return raw.partition(b"\0")[0].decode("utf-8", "replace")

    def _find(self, name: str, candidates: Iterator[int]) -> Symbol | None:
        wanted = name.encode() + b"\0"
        for index in candidates:
            raw = self.read_virtual(self._tags.get(DT_SYMTAB, 0) + index * SYMBOL.size, SYMBOL.size)
            name_at, _, _, section, address, size = self._unpack(SYMBOL, raw)
            if section and self.read_virtual(self._tags.get(DT_STRTAB, 0) + name_at, len(wanted)) == wanted:
                return Symbol(name, address, size)
        return None

    def _gnu_candidates(self, name: str) -> Iterator[int]:
        table = self._tags[DT_GNU_HASH]
        buckets, first, blooms, shift = self._unpack(GNU_HASH_HEADER, self.read_virtual(table, 16))
        if not buckets or not blooms:
            return
        value = gnu_hash(name)
        bloom = self._word(table + 16 + value // 64 % blooms * 8, 8)
        if not (bloom >> value % 64 & 1 and bloom >> (value >> (shift & 63)) % 64 & 1):
            return
        bucket_at = table + 16 + blooms * 8
        start = self._word(bucket_at + value % buckets * 4, 4)
        if start < first:
            return
        chain_at = bucket_at + buckets * 4
        for index in range(start, start + CHAIN_LIMIT):
            link = self._word(chain_at + (index - first) * 4, 4)
            if link | 1 == value | 1:
                yield index
            if link & 1:
                return

    def _sysv_candidates(self, name: str) -> Iterator[int]:
        table = self._tags[DT_HASH]
        buckets = self._word(table, 4)
        if not buckets:
            return
        index = self._word(table + 8 + sysv_hash(name) % buckets * 4, 4)
        for _ in range(CHAIN_LIMIT):
            if not index:
                return
            yield index
            index = self._word(table + 8 + (buckets + index) * 4, 4)

    def _word(self, address: int, size: int) -> int:
        raw = self.read_virtual(address, size)
        if len(raw) != size:
            raise BadElf("a table reaches out of the binary")
        return int.from_bytes(raw, "little")

    def _program_headers(self, table: int, size: int, count: int) -> list[tuple[int, ...]]:
        if size != SEGMENT.size or not 0 < count <= SEGMENTS_LIMIT:
            raise BadElf("strange program headers")
        raw = self._raw(table, size * count)
        if len(raw) != size * count:
            raise BadElf("program headers cut off")
        return list(SEGMENT.iter_unpack(raw))

    def _raw(self, offset: int, size: int) -> bytes:
        if not 0 <= offset < 1 << 63:
            return b""
        if offset + size <= len(self._first_page):
            return self._first_page[offset : offset + size]
        return self._read(offset, size)

    @staticmethod
    def _unpack(layout: struct.Struct, raw: bytes) -> tuple[Any, ...]:
        if len(raw) != layout.size:
            raise BadElf("cut off")
        return layout.unpack(raw)


def file_reader(descriptor: int) -> Reader:
    """Read a binary from an open file; what cannot be read comes back empty."""

    def read(offset: int, size: int) -> bytes:
        try:
            return os.pread(descriptor, size, offset)
        except OSError:  # an offset that no file can have, or a broken disk
            return b""

    return read


def gnu_hash(name: str) -> int:
    """The hash of DT_GNU_HASH."""
    value = 5381
    for letter in name.encode():
        value = (value * 33 + letter) & 0xFFFFFFFF
    return value


def sysv_hash(name: str) -> int:
    """The hash of DT_HASH."""
    value = 0
    for letter in name.encode():
        value = (value << 4) + letter
        value = (value ^ (value >> 24 & 0xF0)) & 0x0FFFFFFF
    return value


def _notes(raw: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    position = 0
    while position + NOTE.size <= len(raw):
        name_size, size, kind = NOTE.unpack_from(raw, position)
        name_at = position + NOTE.size
        content_at = name_at + (name_size + 3 & -4)
        yield raw[name_at : name_at + name_size], kind, raw[content_at : content_at + size]
        position = content_at + (size + 3 & -4)
