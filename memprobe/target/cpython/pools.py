"""The pools of Python's own allocator: which of them have free blocks, and which blocks those are.

The allocator keeps, for each size class, a ring of the pools that have both used and free blocks. A ring
begins at an entry of a table that no symbol names in a stripped build. None is needed: the first and the last
pool of each ring lead to it, and how far the entries of two size classes lie apart is known.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memprobe.target.cpython.arenas import Arena
from memprobe.target.cpython.objects import is_pointer
from memprobe.vocab import Memory

SIZE_CLASSES = 32
CLASS_BYTES = 16
"""Blocks of a size class are so much larger than those of the one before."""

HEADER = np.dtype(
    [
        ("used", "<u4"),
        ("padding", "<u4"),
        ("free_block", "<u8"),
        ("next", "<u8"),
        ("previous", "<u8"),
        ("arena", "<u4"),
        ("size_class", "<u4"),
        ("next_offset", "<u4"),
        ("last_offset", "<u4"),
    ]
)
"""struct pool_header: the same from 3.8 to 3.15."""

POOLS_LOOKED_AT = 1 << 16
"""Pools whose headers are read, 1 us each: 1 GiB in pools of 16 KiB."""

_ENTRY = 2 * 8
_NEXT = 16

Words = npt.NDArray[np.uint64]


def used_pools(memory: Memory, arenas: Sequence[Arena], pool_bytes: int) -> int:
    """Return where the table of pools with free blocks lies; 0 if it is not sure.

    Several tables (interpreters with heaps of their own) are not sure either.
    """
    candidates: Counter[int] = Counter()
    headers = _headers(memory, arenas, pool_bytes, 1)
    for link in ("next", "previous"):
        outside = headers[~_inside(headers[link], arenas) & (headers["size_class"] < SIZE_CLASSES)]
        bases = outside[link] + np.uint64(_NEXT) - outside["size_class"].astype("<u8") * np.uint64(_ENTRY)
        candidates.update(int(base) for base in bases.tolist() if is_pointer(int(base)))
    sure = [base for base, _ in candidates.most_common(8) if _is_table(memory, base, arenas)]
    return sure[0] if len(sure) == 1 else 0


def blocks_in_use(memory: Memory, arenas: Sequence[Arena], pool_bytes: int) -> npt.NDArray[np.int64]:
    """Return how many blocks of each size class are handed out; of a very large heap, an estimate."""
    count = sum(arena.size for arena in arenas) // pool_bytes
    step = -(-count // POOLS_LOOKED_AT) or 1
    headers = _headers(memory, arenas, pool_bytes, step)
    good = headers[headers["size_class"] < SIZE_CLASSES]
    good = good[good["used"] <= pool_bytes // ((good["size_class"] + 1) * CLASS_BYTES)]
    used = np.bincount(good["size_class"], good["used"], SIZE_CLASSES)
    return used.astype(np.int64) * step


def _headers(memory: Memory, arenas: Sequence[Arena], pool_bytes: int, step: int) -> npt.NDArray[np.void]:
    """Read the headers of every `step`-th pool."""
    addresses: list[int] = []
    for arena in arenas:
        first = -(-arena.address // pool_bytes) * pool_bytes
        addresses += range(first, arena.address + arena.size - pool_bytes + 1, pool_bytes)
    chosen = addresses[::step][:POOLS_LOOKED_AT]
    blocks = memory.read_many([(address, HEADER.itemsize) for address in chosen])
    whole = b"".join(block for block in blocks if len(block) == HEADER.itemsize)
    return np.frombuffer(whole, HEADER)


def _inside(addresses: Words, arenas: Sequence[Arena]) -> npt.NDArray[np.bool_]:
    starts = np.array(sorted(arena.address for arena in arenas), "<u8")
    sizes = {arena.address: arena.size for arena in arenas}
    ends = np.array([start + sizes[int(start)] for start in starts.tolist()], "<u8")
    index = np.searchsorted(starts, addresses, "right").astype(np.intp) - 1
    return (index >= 0) & (addresses < ends[np.maximum(index, 0)])


def _is_table(memory: Memory, base: int, arenas: Sequence[Arena]) -> bool:
    """Whether each entry leads to itself, or to a pool of its size class."""
    (block,) = memory.read_many([(base, SIZE_CLASSES * _ENTRY)])
    if len(block) < SIZE_CLASSES * _ENTRY:
        return False
    entries = np.frombuffer(block, "<u8")[::2]
    own = np.uint64(base) + np.arange(SIZE_CLASSES, dtype="<u8") * np.uint64(_ENTRY) - np.uint64(_NEXT)
    leading = entries != own
    pools = entries[leading]
    if not leading.any() or not _inside(pools, arenas).all():
        return False
    found = memory.read_many([(int(pool), HEADER.itemsize) for pool in pools.tolist()])
    wanted = np.flatnonzero(leading).tolist()
    return all(
        len(header) == HEADER.itemsize and struct.unpack_from("<I", header, 36)[0] == size_class
        for header, size_class in zip(found, wanted, strict=True)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """What a look at some blocks has found, in the order in which they were asked for."""

    allocated: npt.NDArray[np.bool_]
    """Whether the pool has handed it out, of the size class that was expected."""

    words: Words
    """The first WORDS words of each; 0 behind its end."""


WORDS = 12

AT_ONCE = 1024
"""Blocks that are looked at together: 16 MiB, if each is in a pool of its own."""


def look_at(memory: Memory, addresses: Words, classes: npt.NDArray[np.int64], pool_bytes: int) -> Blocks:
    """Look which blocks are allocated at present, and at what is in them."""
    parts = [
        _look(memory, addresses[first : first + AT_ONCE], classes[first : first + AT_ONCE], pool_bytes)
        for first in range(0, len(addresses), AT_ONCE)
    ]
    nothing = Blocks(np.zeros(0, bool), np.zeros((0, WORDS), "<u8"))
    return Blocks(
        np.concatenate([part.allocated for part in (nothing, *parts)]),
        np.concatenate([part.words for part in (nothing, *parts)]),
    )


def _look(memory: Memory, addresses: Words, classes: npt.NDArray[np.int64], pool_bytes: int) -> Blocks:
    words = np.zeros((len(addresses), WORDS), "<u8")
    pools, of_pool = np.unique(addresses & np.uint64(~(pool_bytes - 1) & (1 << 64) - 1), return_inverse=True)
    content = _contents(memory, pools.tolist(), pool_bytes)
    headers = content[:, : HEADER.itemsize].copy().view(HEADER)[:, 0]
    offsets = (addresses - pools[of_pool]).astype(np.int64)
    free = _free_blocks(content, headers, pools, pool_bytes)
    known = headers["used"][of_pool] > 0
    same = headers["size_class"][of_pool] == classes
    ended = offsets >= headers["next_offset"][of_pool]
    allocated = known & same & ~ended & ~free[of_pool, offsets // CLASS_BYTES]
    limits = np.minimum((classes + 1) * CLASS_BYTES, pool_bytes - offsets)
    flat = content.reshape(-1).view("<u8")
    for word in range(WORDS):
        there = word * 8 < limits
        places = (of_pool * pool_bytes + offsets) // 8 + word
        words[there, word] = flat[places[there]]
    return Blocks(allocated, words)


def _contents(memory: Memory, pools: Iterable[int], pool_bytes: int) -> npt.NDArray[np.uint8]:
    """The pools, one a row; what cannot be read is 0, so that it holds nothing."""
    blocks = memory.read_many([(pool, pool_bytes) for pool in pools])
    whole = b"".join(block if len(block) == pool_bytes else bytes(pool_bytes) for block in blocks)
    return np.frombuffer(whole, "u1").reshape(-1, pool_bytes)


def _free_blocks(
    content: npt.NDArray[np.uint8], headers: npt.NDArray[np.void], pools: Words, pool_bytes: int
) -> npt.NDArray[np.bool_]:
    """A table of which blocks are in the lists of free ones, by pool and distance in steps of 16 bytes.

    All lists are followed at once, one step a round; a list that leaves its pool or is longer than the
    pool has blocks ends there.
    """
    free = np.zeros((len(pools), pool_bytes // CLASS_BYTES), bool)
    words = content.reshape(-1).view("<u8")
    rows, at = np.arange(len(pools)), headers["free_block"].copy()
    for _ in range(pool_bytes // CLASS_BYTES):
        distance = at - pools[rows]
        inside = (at != 0) & (distance < np.uint64(pool_bytes)) & (distance % np.uint64(CLASS_BYTES) == 0)
        rows, distance = rows[inside], distance[inside].astype(np.intp)
        if not len(rows):
            break
        free[rows, distance // CLASS_BYTES] = True
        at = words[(rows * pool_bytes + distance) // 8]
    return free
