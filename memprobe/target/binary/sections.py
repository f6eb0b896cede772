"""Sections of an ELF file: what is not loaded and must be read from the file itself."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from memprobe.target.binary.elf import HEADER, NAME_LIMIT, SYMBOL, BadElf, Symbol, file_reader

SECTION = struct.Struct("<IIQQQQIIQQ")
SECTIONS_LIMIT = 4096
TABLE_LIMIT = 64 << 20
"""The symbol table of an unstripped libpython takes about 0.3 MiB."""

HEADERS_LIMIT = 4 << 20
"""Bytes of all headers, or of all names: those of CPython take some 3,000, and 500."""

_ELSEWHERE = 0xFFFF
"""Numbers that are too large for the header are in the first section header."""


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
    """Read all section headers; BadElf if they make no sense. Of a name that is there twice, the first."""
    header = HEADER.unpack(_read(descriptor, 0, HEADER.size))
    table, size, number, names_at = header[6], *header[11:14]
    if header[0][:6] != b"\x7fELF\x02\x01":
        raise BadElf("not a 64-bit little-endian ELF binary")
    if not table:
        return {}
    first = SECTION.unpack(_read(descriptor, table, SECTION.size))
    number = number or first[5]
    names_at = first[6] if names_at == _ELSEWHERE else names_at
    if size != SECTION.size or number > SECTIONS_LIMIT or names_at >= number:
        raise BadElf("the section headers make no sense")
    headers = list(SECTION.iter_unpack(_read(descriptor, table, number * SECTION.size)))
    names = _read(descriptor, headers[names_at][4], headers[names_at][5])
    found: dict[str, Section] = {}
    for name_at, _, _, address, offset, length, link, *_ in headers:
        found.setdefault(_name(names, name_at), Section(address, offset, length, link))
    return found


def _read(descriptor: int, offset: int, size: int) -> bytes:
    """Read a part of the headers, all of it."""
    if size > HEADERS_LIMIT or offset + size > os.fstat(descriptor).st_size:
        raise BadElf("the section headers reach out of the file")
    content = file_reader(descriptor)(offset, size)
    if len(content) < size:
        raise BadElf("the section headers are not all there")
    return content


def _name(names: bytes, start: int) -> str:
    end = names.find(b"\0", start, start + NAME_LIMIT)
    if end < 0:
        raise BadElf("the name of a section has no end")
    return names[start:end].decode("utf-8", "replace")
