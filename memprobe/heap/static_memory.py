"""The writable memory of binaries: static variables of the interpreter and of C extensions.

Where it ends is in the binary's own program headers, which are mapped with it: behind the .bss other
anonymous memory may follow without a gap, and that may well be an arena of Python's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from memprobe.target.proc.mappings import Mapping
from memprobe.vocab import Memory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAXIMUM_BYTES = 64 << 20
"""More static memory is not read; libpython has 0.6 MB, numpy 0.2 MB."""

_WORD = 8
_HEADER = struct.Struct("<4sB27xQ14xHH")
"""Magic, class; where the program headers are, how large one is, and how many."""

_PROGRAM = struct.Struct("<IIQQQQQQ")
_PT_LOAD, _PF_W, _ELFCLASS64 = 1, 2, 2
_MAXIMUM_PROGRAMS = 64
_PAGE_MASK = ~4095

Region = tuple[str, int, int]
"""Name of the binary, start, size."""


def static_words(
    memory: Memory, mappings: Sequence[Mapping]
) -> Iterator[tuple[str, int, NDArray[np.uint64]]]:
    """Yield the name of a binary, an address, and the words from there on, for all static memory."""
    import numpy as np

    left = MAXIMUM_BYTES
    for name, start, size in static_regions(memory, mappings):
        size = min(size, left)
        left -= size
        (block,) = memory.read_many([(start, size)]) if size else (b"",)
        yield name, start, np.frombuffer(block[: len(block) // _WORD * _WORD], dtype="<u8")


def static_regions(memory: Memory, mappings: Sequence[Mapping]) -> Iterator[Region]:
    """Yield where the binaries of a process have their writable data and their .bss."""
    for mapping in mappings:
        if mapping.offset == 0 and mapping.inode and mapping.is_readable and mapping.path.startswith("/"):
            for start, size in _writable(memory, mapping.start):
                yield mapping.file_name, start, size


def _writable(memory: Memory, base: int) -> Iterator[tuple[int, int]]:
    """Yield start and size of the writable segments of the binary that is mapped at an address."""
    (header,) = memory.read_many([(base, _HEADER.size)])
    if len(header) < _HEADER.size:
        return
    magic, kind, table, width, count = _HEADER.unpack(header)
    if magic != b"\x7fELF" or kind != _ELFCLASS64 or width != _PROGRAM.size or count > _MAXIMUM_PROGRAMS:
        return
    (block,) = memory.read_many([(base + table, width * count)])
    if len(block) < width * count:
        return
    loads = [program for program in _PROGRAM.iter_unpack(block) if program[0] == _PT_LOAD]
    # The first segment is mapped at the base: what its address is in the file is what all are moved by.
    moved = base - (loads[0][3] & _PAGE_MASK) if loads else 0
    for _, flags, _, address, _, _, size, _ in loads:
        if flags & _PF_W and 0 < size <= MAXIMUM_BYTES:
            start = (address + moved + _WORD - 1) // _WORD * _WORD
            yield start, address + moved + size - start
