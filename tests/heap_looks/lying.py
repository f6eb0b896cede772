"""A memory that lies: bytes that come through it are damaged now and then."""

from __future__ import annotations

import random
from collections.abc import Sequence

from memprobe.vocab import Memory

_WORDS = (0, 1, 7, 8, 2**31, 2**47 - 8, 2**62, 2**63, 2**64 - 1)


class LyingMemory:
    """Passes reads on, and puts nonsense into some words of what comes back."""

    def __init__(self, memory: Memory, seed: int) -> None:
        self._memory = memory
        self._random = random.Random(seed)
        self.lies = 0.0
        """The share of the reads that are damaged."""

    @property
    def pid(self) -> int:
        return self._memory.pid

    def read(self, address: int, size: int) -> bytes:
        return self._damaged(self._memory.read(address, size))

    def read_many(self, regions: Sequence[tuple[int, int]]) -> list[bytes]:
        return [self._damaged(block) for block in self._memory.read_many(regions)]

    def read_into(self, regions: Sequence[tuple[int, int]], buffer: memoryview) -> list[int]:
        return self._memory.read_into(regions, buffer)

    def _damaged(self, block: bytes) -> bytes:
        if self._random.random() >= self.lies or len(block) < 8:
            return block
        at = self._random.randrange(len(block) // 8) * 8
        word = self._random.choice([*_WORDS, int.from_bytes(block[at : at + 8], "little") ^ 8])
        return block[:at] + word.to_bytes(8, "little") + block[at + 8 :]
