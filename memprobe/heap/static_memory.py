"""The writable memory of binaries: static variables of the interpreter and of C extensions."""

from __future__ import annotations

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


def static_words(
    memory: Memory, mappings: Sequence[Mapping]
) -> Iterator[tuple[str, int, NDArray[np.uint64]]]:
    """Yield the name of a binary, an address, and the words from there on, for all static memory."""
    import numpy as np

    left = MAXIMUM_BYTES
    for name, start, size in _regions(mappings):
        size = min(size, left)
        left -= size
        (block,) = memory.read_many([(start, size)]) if size else (b"",)
        yield name, start, np.frombuffer(block[: len(block) // _WORD * _WORD], dtype="<u8")


def _regions(mappings: Sequence[Mapping]) -> Iterator[tuple[str, int, int]]:
    """Yield name, start and size of the writable mappings of binaries, with the .bss behind them."""
    behind: Mapping | None = None
    for mapping in mappings:
        if not mapping.is_writable:
            behind = None
            continue
        if mapping.path.startswith("/") and mapping.inode:
            behind = mapping
        elif behind is None or mapping.path or mapping.start != behind.end:
            behind = None
            continue
        yield behind.file_name, mapping.start, mapping.size
        behind = None if not mapping.path else behind
