"""What the kernel's walk takes along of each code object, read again: it may be another one by now."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from memprobe.sources.kernel.python_layout import NO_OFFSET, identity_offsets
from memprobe.target.layouts import Layout
from memprobe.vocab import Memory

_BYTES = 3 * 8
_MULTIPLIER = 0x9E3779B97F4A7C15
_ALL_BITS = 2**64 - 1

Words = tuple[int, ...]


def read_identities(memory: Memory, layout: Layout, codes: Iterable[int]) -> dict[int, int]:
    """Return what `read_identity` of probes/lib/python_stack.h computes; without what cannot be read."""
    first, more, name_hash = identity_offsets(layout)
    words = _read(memory, {code: (code + first, _BYTES) for code in codes})
    if more == NO_OFFSET:
        return {code: _mixed(own) for code, own in words.items()}
    others = _read(memory, {code: (code + more, _BYTES) for code in words})
    # The second word is co_name.
    hashes = _read(memory, {code: (words[code][1] + name_hash, 8) for code in others})
    return {code: _mixed(words[code] + others[code] + own) for code, own in hashes.items()}


def _read(memory: Memory, regions: dict[int, tuple[int, int]]) -> dict[int, Words]:
    """Return the words of each region that can be read as a whole."""
    blocks = memory.read_many(list(regions.values()))
    return {
        code: struct.unpack(f"<{size // 8}Q", block)
        for (code, (_, size)), block in zip(regions.items(), blocks, strict=True)
        if len(block) == size
    }


def _mixed(words: Words) -> int:
    identity = 0
    for word in words:
        identity = (identity ^ word) * _MULTIPLIER & _ALL_BITS
        identity ^= identity >> 32
    return identity
