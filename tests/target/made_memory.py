"""Memories for tests: a process frozen in pages, one with words exchanged, one that never ends."""

from __future__ import annotations

import errno
from array import array
from collections.abc import Callable, Mapping, Sequence

from memprobe.errors import ReadFault
from memprobe.vocab import Memory

PAGE = 4096


class MadeMemory:
    """A memory of which a test only has to say what is at an address."""

    pid = 1

    def available(self, address: int, size: int) -> bytes:
        """What can be read of a region, from its start."""
        raise NotImplementedError

    def read(self, address: int, size: int) -> bytes:
        data = self.available(address, size)
        if len(data) != size:
            raise ReadFault(self.pid, address, size, errno.EFAULT)
        return data

    def read_many(self, regions: Sequence[tuple[int, int]]) -> list[bytes]:
        return [self.available(address, size) for address, size in regions]

    def read_into(self, regions: Sequence[tuple[int, int]], buffer: memoryview) -> list[int]:
        start, got = 0, []
        for address, size in regions:
            data = self.available(address, size)
            buffer[start : start + len(data)] = data
            start += size
            got.append(len(data))
        return got


class PatchedMemory(MadeMemory):
    """Another memory in which some bytes are different."""

    def __init__(self, inner: Memory, patches: Mapping[int, bytes]) -> None:
        self._inner = inner
        self._patches = patches

    def available(self, address: int, size: int) -> bytes:
        (data,) = self._inner.read_many([(address, size)])
        for place, patch in self._patches.items():
            start, end = max(place, address), min(place + len(patch), address + len(data))
            if start < end:
                middle = patch[start - place : end - place]
                data = data[: start - address] + middle + data[end - address :]
        return data


class FrozenMemory(MadeMemory):
    """The pages of a process that were looked at; `looks` are the regions that were wanted."""

    def __init__(self, inner: Memory) -> None:
        self._inner: Memory | None = inner
        self._pages: dict[int, bytearray] = {}
        self.looks: list[tuple[int, int]] = []

    def thaw(self) -> None:
        """Read no more of the process: what was not looked at is not there."""
        self._inner = None

    def copy(self) -> FrozenMemory:
        """The same pages, to be changed."""
        copy = FrozenMemory(self)
        copy.thaw()
        copy._pages = {page: bytearray(content) for page, content in self._pages.items()}
        return copy

    def write(self, address: int, word: int) -> None:
        """Exchange one aligned word."""
        start = address % PAGE // 8 * 8
        self._pages[address // PAGE][start : start + 8] = word.to_bytes(8, "little")

    def available(self, address: int, size: int) -> bytes:
        if not 0 <= address < 1 << 64:
            return b""
        self.looks.append((address, size))
        parts = []
        for page in range(address // PAGE, (address + size - 1) // PAGE + 1 if size else 0):
            content = self._page(page)
            if not content:
                break
            parts.append(bytes(content))
        skip = address % PAGE
        return b"".join(parts)[skip : skip + size]

    def _page(self, page: int) -> bytearray:
        if page not in self._pages and self._inner is not None:
            self._pages[page] = bytearray(self._inner.read_many([(page * PAGE, PAGE)])[0])
        return self._pages.get(page, bytearray())


class EndlessMemory(MadeMemory):
    """Readable everywhere: the word at each address is made up from the address."""

    def __init__(self, word: Callable[[int], int]) -> None:
        self._word = word
        self.bytes = 0
        self.reads = 0

    def available(self, address: int, size: int) -> bytes:
        self.bytes += size
        self.reads += 1
        first = address // 8 * 8
        words = array("Q", (self._word(first + offset) % 2**64 for offset in range(0, size + 8, 8)))
        return words.tobytes()[address - first : address - first + size]
