"""The seam through which every byte of a target is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable


@runtime_checkable
class Memory(Protocol):
    """Memory of one process: live, saved in an image, or made up for a test.

    Nothing that comes back may be trusted: the target runs while it is read, and may be hostile.
    """

    @property
    def pid(self) -> int:
        """The pid that errors should name."""
        ...

    def read(self, address: int, size: int) -> bytes:
        """Return exactly `size` bytes, or raise ReadFault."""
        ...

    def read_many(self, regions: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read many (address, size) regions at once; a region that faults comes back short."""
        ...

    def read_into(self, regions: Sequence[tuple[int, int]], buffer: memoryview) -> list[int]:
        """Fill `buffer` with the regions back to back; return the bytes that each one got.

        Every region keeps its place: region i starts where the sizes before it end,
        however much of them could be read.
        """
        ...
