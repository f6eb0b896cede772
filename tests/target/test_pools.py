"""The pools of Python's allocator: the table that they lead to, which blocks are free, and hostile memory."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from memprobe.target.cpython.arenas import Arena
from memprobe.target.cpython.pools import (
    CLASS_BYTES,
    HEADER,
    SIZE_CLASSES,
    blocks_in_use,
    look_at,
    used_pools,
)
from memprobe.target.memory.fake import FakeMemory

POOL = 4096
ARENA = 0x7F00_0000_0000
TABLE = 0x5500_0000_0000
SIZE_CLASS = 2
BLOCKS = 5
FREE = (1, 3)


def block(number: int) -> int:
    return ARENA + 48 + number * (SIZE_CLASS + 1) * CLASS_BYTES


def made() -> FakeMemory:
    """One pool of 48-byte blocks, of which two are free and the last was never handed out."""
    header = np.zeros(1, HEADER)
    own = TABLE + SIZE_CLASS * 16 - 16
    header["used"], header["size_class"] = BLOCKS - len(FREE) - 1, SIZE_CLASS
    header["free_block"], header["next"], header["previous"] = block(FREE[0]), own, own
    header["next_offset"] = block(BLOCKS - 1) - ARENA
    pool = bytearray(header.tobytes().ljust(POOL, b"\0"))
    for number in range(BLOCKS):
        following = block(FREE[1]) if number == FREE[0] else 0 if number == FREE[1] else 7
        pool[block(number) - ARENA : block(number) - ARENA + 8] = following.to_bytes(8, "little")
    entries = [TABLE + index * 16 - 16 for index in range(SIZE_CLASSES) for _ in range(2)]
    entries[2 * SIZE_CLASS] = entries[2 * SIZE_CLASS + 1] = ARENA
    return FakeMemory({ARENA: bytes(pool), TABLE: np.array(entries, "<u8").tobytes()})


ARENAS = [Arena(ARENA, POOL, 0)]


def test_pools_lead_to_the_table() -> None:
    assert used_pools(made(), ARENAS, POOL) == TABLE


def test_blocks_are_counted_and_told_apart() -> None:
    memory = made()
    assert blocks_in_use(memory, ARENAS, POOL).tolist()[SIZE_CLASS] == 2
    addresses = np.array([block(number) for number in range(BLOCKS)], "<u8")
    found = look_at(memory, addresses, np.full(BLOCKS, SIZE_CLASS), POOL)
    assert found.allocated.tolist() == [True, False, True, False, False]
    assert found.words[0, 0] == 7
    other = look_at(memory, addresses, np.full(BLOCKS, 5), POOL)
    assert not other.allocated.any(), "of another size class by now"


def test_what_is_gone_holds_nothing() -> None:
    found = look_at(FakeMemory({}), np.array([block(0)], "<u8"), np.array([SIZE_CLASS]), POOL)
    assert not found.allocated.any()
    assert used_pools(FakeMemory({}), ARENAS, POOL) == 0


@given(st.integers(0, 1 << 32), st.integers(0, 255))
def test_nothing_that_is_there_breaks_it(seed: int, offset: int) -> None:
    chance = np.random.default_rng(seed)
    likely = np.array([0, 1, 3, 48, ARENA, ARENA + 64, TABLE], "<u8")
    words = np.where(chance.random(576) < 0.5, chance.choice(likely, 576), chance.integers(0, 1 << 48, 576))
    content = words.astype("<u8").tobytes()
    memory = FakeMemory({ARENA: content[:POOL], TABLE: content[POOL:]})
    used_pools(memory, ARENAS, POOL)
    assert (blocks_in_use(memory, ARENAS, POOL) >= 0).all()
    look_at(memory, np.array([ARENA + 16 * offset], "<u8"), np.array([offset % SIZE_CLASSES]), POOL)
