"""Local symbols and the probe notes of a binary: where its insides may be watched.

Everything here comes from the file on disk, which may be made up: places are only ever looked at
as bytes, and who puts a probe there decodes them first.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from memprobe.target.binary.elf import NAME_LIMIT, NOTE, SYMBOL, BadElf, Binary, Symbol, file_reader
from memprobe.target.binary.sections import Section, section_content

NOTES_LIMIT = 1 << 20
"""Bytes of probe notes: CPython's take 2 kB."""

_NT_STAPSDT = 3
_PLACES = struct.Struct("<3Q")
_FUNCTION = 2
_SYMBOLS = [
    ("name", "<u4"),
    ("info", "u1"),
    ("other", "u1"),
    ("section", "<u2"),
    ("address", "<u8"),
    ("size", "<u8"),
]


@dataclass(frozen=True, slots=True)
class ProbeNote:
    """A probe that the program's authors have put in (USDT)."""

    provider: str
    name: str

    address: int
    """Of its instruction, a nop; before the load bias is added."""

    semaphore: int
    """Address of the counter that enables it, or 0."""

    arguments: tuple[str, ...]
    """As the compiler wrote them: "-4@112(%rsp)"."""


def local_functions(
    descriptor: int, sections: Mapping[str, Section], names: Iterable[str]
) -> dict[str, tuple[Symbol, ...]]:
    """Find functions of the full symbol table by name, with the clones that the compiler made of them.

    Clones have a suffix (".constprop.0", ".isra.0", ".part.0"). A stripped file has none: empty.
    """
    table, strings = sections.get(".symtab"), sections.get(".strtab")
    if table is None or strings is None:
        return {}
    content, text = section_content(descriptor, table), section_content(descriptor, strings)
    starts = {start: name for name in names for start in _starts(text, name)}
    found: dict[str, list[Symbol]] = {}
    whole = memoryview(content)[: len(content) // SYMBOL.size * SYMBOL.size]
    for name_at, info, _, section, address, size in SYMBOL.iter_unpack(whole):
        if section and info & 15 == _FUNCTION and name_at in starts:
            end = text.find(b"\0", name_at)
            full = text[name_at:end].decode("utf-8", "replace")
            found.setdefault(starts[name_at], []).append(Symbol(full, address, size))
    return {name: tuple(symbols) for name, symbols in found.items()}


def functions_around(
    descriptor: int, sections: Mapping[str, Section], addresses: Collection[int]
) -> tuple[Symbol, ...]:
    """Find the functions that addresses lie in; nameless, and none in a stripped file."""
    table = sections.get(".symtab")
    if table is None or not addresses:
        return ()
    content = section_content(descriptor, table)
    found: dict[int, Symbol] = {}
    whole = memoryview(content)[: len(content) // SYMBOL.size * SYMBOL.size]
    for _, info, _, section, start, size in SYMBOL.iter_unpack(whole):
        if section and info & 15 == _FUNCTION and any(start <= one < start + size for one in addresses):
            found[start] = Symbol("", start, size)
    return tuple(found.values())


def function_at(descriptor: int, sections: Mapping[str, Section], offset: int) -> str:
    """The name of the function that the file has at an offset; empty if no symbol says so."""
    address = _address(descriptor, offset)
    for symbols, strings in ((".symtab", ".strtab"), (".dynsym", ".dynstr")):
        if symbols in sections and strings in sections:
            content = section_content(descriptor, sections[symbols])
            name_at = _name_at(content, address)
            if name_at is not None:
                text = section_content(descriptor, sections[strings])[name_at : name_at + NAME_LIMIT]
                return text.partition(b"\0")[0].decode("utf-8", "replace")
    return ""


def _address(descriptor: int, offset: int) -> int:
    """Where what the file has at an offset is loaded, before bias; BadElf if it is not."""
    for segment in Binary(file_reader(descriptor)).segments:
        if 0 <= offset - segment.offset < segment.file_size:
            return segment.address + offset - segment.offset
    raise BadElf("an offset that is not loaded")


def _name_at(content: bytes, address: int) -> int | None:
    """Where the name of the function begins that an address lies in."""
    import numpy as np

    rows = np.frombuffer(content, _SYMBOLS, len(content) // SYMBOL.size)
    rows = rows[(rows["info"] & 15 == _FUNCTION) & (rows["section"] != 0) & (rows["address"] <= address)]
    around = rows[rows["address"] + rows["size"] > address]
    return int(around["name"][0]) if len(around) else None


def _starts(text: bytes, name: str) -> Iterator[int]:
    """Where a name, or the name of a clone, begins; it may begin inside a longer name."""
    pattern = re.escape(name.encode()) + rb"(?:\.(?:constprop|isra|part|cold)\.?[0-9]*)*\0"
    return (match.start() for match in re.finditer(pattern, text))


def probe_notes(descriptor: int, sections: Mapping[str, Section]) -> tuple[ProbeNote, ...]:
    """Read the probe notes of a file; those that are damaged are left out."""
    section, base = sections.get(".note.stapsdt"), sections.get(".stapsdt.base")
    if section is None or section.size > NOTES_LIMIT:
        return ()
    return notes_in(section_content(descriptor, section), base.address if base else None)


def notes_in(content: bytes, base_now: int | None) -> tuple[ProbeNote, ...]:
    """Take the notes of a section apart; `base_now` is where the section .stapsdt.base is by now."""
    notes = (_probe_note(note, base_now) for note in _contents(content))
    return tuple(note for note in notes if note is not None)


def _contents(raw: bytes) -> Iterator[bytes]:
    position = 0
    while position + NOTE.size <= len(raw):
        name_size, size, kind = NOTE.unpack_from(raw, position)
        start = position + NOTE.size + (name_size + 3 & -4)
        if kind == _NT_STAPSDT:
            yield raw[start : start + size]
        position = start + (size + 3 & -4)


def _probe_note(content: bytes, base_now: int | None) -> ProbeNote | None:
    texts = content[_PLACES.size :].split(b"\0")
    if len(content) < _PLACES.size or len(texts) < 3:
        return None
    address, base, semaphore = _PLACES.unpack_from(content)
    # A file that was prelinked has moved since the notes were written.
    moved = 0 if base_now is None else base_now - base
    provider, name, arguments = (text.decode("utf-8", "replace") for text in texts[:3])
    return ProbeNote(
        provider, name, address + moved, semaphore + moved if semaphore else 0, tuple(arguments.split())
    )


def file_offset(binary: Binary, address: int) -> int:
    """Where the file has what is loaded at an address (before bias); BadElf if nowhere."""
    for segment in binary.segments:
        # A counter may lie in .bss, beyond what comes from the file: the kernel counts on all the same.
        if 0 <= address - segment.address < segment.memory_size:
            return segment.offset + address - segment.address
    raise BadElf("an address that is not loaded")
