"""Memory made up for a test."""

from __future__ import annotations

import errno
from bisect import bisect_right, insort
from typing import TYPE_CHECKING

from memprobe.errors import ReadFault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class FakeMemory:
    """Memory of a process that does not exist, with the contents that a test gives it.

    It can do on purpose what a live process does by chance: change between two reads (`tear`),
    and not be readable (`fault`). `reads` says what was asked for, so that a test can hold a
    decoder to its bounds.
    """

    def __init__(self, segments: Mapping[int, bytes], *, pid: int = 1) -> None:
        """Make memory that has `segments` (contents by address; they may touch, not overlap)."""
        self._pid = pid
        self._segments: list[tuple[int, bytearray]] = []
        self._tears: list[tuple[int, list[bytes]]] = []
        self._faults: list[tuple[int, int]] = []
        self.reads: list[tuple[int, int]] = []
        for address, content in segments.items():
            self.add(address, content)

    @property
    def pid(self) -> int:
        """The pid that errors name."""
        return self._pid

    def add(self, address: int, content: bytes) -> None:
        """Map `content` at `address`, where nothing was mapped before."""
        segment = (address, bytearray(content))
        before = bisect_right(self._segments, address, key=lambda found: found[0])
        for start, held in self._segments[max(0, before - 1) : before + 1]:
            if start < address + len(content) and address < start + len(held):
                raise ValueError(f"memory at {address:#x} overlaps that at {start:#x}")
        insort(self._segments, segment, key=lambda found: found[0])

    def write(self, address: int, content: bytes) -> None:
        """Change mapped memory, as the process does that runs on."""
        for offset, byte in enumerate(content):
            start, held = self._segment(address + offset) or (0, bytearray())
            if not held:
                raise ValueError(f"nothing is mapped at {address + offset:#x}")
            held[address + offset - start] = byte

    def tear(self, address: int, *contents: bytes) -> None:
        """Let every read that touches `address` find the next of `contents` there.

        The first such read finds the first one; once they are used up the last one stays.
        """
        self._tears.append((address, list(contents)))

    def fault(self, address: int, size: int = 1) -> None:
        """Make `size` bytes unreadable, as if they were not mapped."""
        self._faults.append((address, address + size))

    def read(self, address: int, size: int) -> bytes:
        """Return exactly `size` bytes, or raise ReadFault."""
        data = self._available(address, size)
        if len(data) != size:
            raise ReadFault(self._pid, address, size, errno.EFAULT)
        return data

    def read_many(self, regions: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read many (address, size) regions at once; a region that faults comes back short."""
        return [self._available(address, size) for address, size in regions]

    def read_into(self, regions: Sequence[tuple[int, int]], buffer: memoryview) -> list[int]:
        """Fill `buffer` with the regions back to back; return the bytes that each one got."""
        start, got = 0, []
        for address, size in regions:
            data = self._available(address, size)
            buffer[start : start + len(data)] = data
            got.append(len(data))
            start += size
        return got

    def _segment(self, address: int) -> tuple[int, bytearray] | None:
        number = bisect_right(self._segments, address, key=lambda found: found[0]) - 1
        if number < 0:
            return None
        start, held = self._segments[number]
        return (start, held) if address < start + len(held) else None

    def _available(self, address: int, size: int) -> bytes:
        """What is readable of a region before its first gap."""
        self.reads.append((address, size))
        self._tear(address, size)
        end = min([address + size, *(max(low, address) for low, high in self._faults if high > address)])
        parts = []
        while address < end and (found := self._segment(address)) is not None:
            start, held = found
            parts.append(bytes(held[address - start : end - start]))
            address += len(parts[-1])
        return b"".join(parts)

    def _tear(self, address: int, size: int) -> None:
        for torn, contents in self._tears:
            if contents and address <= torn < address + size:
                self.write(torn, contents.pop(0))
