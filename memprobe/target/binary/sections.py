"""Sections of an ELF file: what is not loaded and must be read from the file itself.

Only here is pyelftools used: it is complete, but takes 50 ms to import.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from memprobe.target.binary.elf import SYMBOL, BadElf, Symbol, file_reader

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

SECTIONS_LIMIT = 4096
TABLE_LIMIT = 64 << 20
"""The symbol table of an unstripped libpython takes about 0.3 MiB."""

HEADERS_LIMIT = 4 << 20
"""Bytes that pyelftools may read: it looks for the end of a name as far as the file goes."""


@dataclass(frozen=True, slots=True)
class Section:
    """Where one section is."""

    address: int
    """In memory, before the load bias is added; 0 if it is not loaded."""

    offset: int
    """In the file."""

    size: int
    """Bytes."""

    link: int
    """The index of the section that belongs to it, such as a string table."""


def find_section(descriptor: int, name: str) -> Section | None:
    """Find a section by its name in an open file."""
    return read_sections(descriptor).get(name)


def local_symbol(descriptor: int, name: str) -> Symbol | None:
    """Find a symbol that only the full symbol table has; None in a stripped file."""
    table = read_sections(descriptor).get(".symtab")
    names = read_sections(descriptor).get(".strtab")
    if table is None or names is None:
        return None
    return _scan(section_content(descriptor, table), section_content(descriptor, names), name)


def _scan(table: bytes, names: bytes, name: str) -> Symbol | None:
    wanted = name.encode() + b"\0"
    # Linkers merge names that end alike, so the name may start inside a longer one.
    starts = set(_positions(names, wanted))
    whole = memoryview(table)[: len(table) // SYMBOL.size * SYMBOL.size]
    for name_at, _, _, section, address, size in SYMBOL.iter_unpack(whole):
        if section and name_at in starts:
            return Symbol(name, address, size)
    return None


def _positions(names: bytes, wanted: bytes) -> list[int]:
    found: list[int] = []
    position = names.find(wanted)
    while position >= 0 and len(found) < SECTIONS_LIMIT:
        found.append(position)
        position = names.find(wanted, position + 1)
    return found


def section_content(descriptor: int, section: Section) -> bytes:
    """Read what the file has of a section; BadElf if it is too large or not all there."""
    if section.size > TABLE_LIMIT or section.offset + section.size > os.fstat(descriptor).st_size:
        raise BadElf("a section reaches out of the file")
    return file_reader(descriptor)(section.offset, section.size)


def read_sections(descriptor: int) -> dict[str, Section]:
    """Read all section headers, some 20 ms; BadElf if they make no sense.

    pyelftools fails in many ways on garbage; all of them mean that.
    """
    from elftools.elf.elffile import ELFFile

    try:
        return _section_table(ELFFile(cast("IO[bytes]", _BoundedFile(descriptor))))
    except Exception as error:
        raise BadElf("sections not readable") from error


class _BoundedFile:
    """An open file that lets itself be read only so much."""

    def __init__(self, descriptor: int) -> None:
        self._read = file_reader(descriptor)
        self._size = os.fstat(descriptor).st_size
        self._position = self._used = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        self._used += max(0, size)
        if size < 0 or self._used > HEADERS_LIMIT:
            raise BadElf("the section headers have no end")
        content = self._read(self._position, size) if self._position >= 0 else b""
        self._position += len(content)
        return content


def _section_table(elf: ELFFile) -> dict[str, Section]:
    if elf.num_sections() > SECTIONS_LIMIT:
        raise BadElf("too many sections")
    found: dict[str, Section] = {}
    for section in elf.iter_sections():
        header = section.header
        found.setdefault(
            section.name, Section(header.sh_addr, header.sh_offset, header.sh_size, header.sh_link)
        )
    return found
