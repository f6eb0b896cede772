"""A memory that remembers what was looked at, so that it can be saved and looked at again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memprobe.errors import ReadFault
from memprobe.target.memory.image import ImageWriter
from memprobe.target.memory.image_file import PAGE_SIZE

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from typing import Any

    from memprobe.vocab import Memory


class RecordingMemory:
    """Passes reads through to another memory, and keeps every page that they touched.

    Each read goes to the other memory anew, widened to whole pages; of a page that was read twice
    the later state is kept, because a decoder that reads again does so to get a better one.
    """

    def __init__(self, inner: Memory, *, limit_bytes: int = 256 << 20) -> None:
        """Record what is read of `inner`, up to `limit_bytes` of pages."""
        self._inner = inner
        self._image = ImageWriter(inner.pid)
        self._limit_pages = limit_bytes // PAGE_SIZE
        self._complete = True

    @property
    def pid(self) -> int:
        """The pid that errors name."""
        return self._inner.pid

    @property
    def complete(self) -> bool:
        """False once pages were read that were not kept, the limit having been reached."""
        return self._complete

    def read(self, address: int, size: int) -> bytes:
        """Return exactly `size` bytes, or raise ReadFault."""
        start, end = _pages_around(address, size)
        try:
            pages = self._inner.read(start, end - start)
        except ReadFault:
            # The fault may be in what was added: a fake knows bytes, not pages.
            return self._inner.read(address, size)
        self._keep(start, pages)
        return pages[address - start : address - start + size]

    def read_many(self, regions: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read many (address, size) regions at once; a region that faults comes back short."""
        around = [_pages_around(address, size) for address, size in regions]
        found = self._inner.read_many([(start, end - start) for start, end in around])
        result = []
        for (address, size), (start, _), pages in zip(regions, around, found, strict=True):
            self._keep(start, pages)
            data = pages[address - start : address - start + size]
            # As in read: what is missing may have been missing from what was added.
            result.append(data if len(data) == size else self._inner.read_many([(address, size)])[0])
        return result

    def read_into(self, regions: Sequence[tuple[int, int]], buffer: memoryview) -> list[int]:
        """Fill `buffer` with the regions back to back; return the bytes that each one got."""
        start, got = 0, []
        for (_, size), data in zip(regions, self.read_many(regions), strict=True):
            buffer[start : start + len(data)] = data
            got.append(len(data))
            start += size
        return got

    def save(self, path: str | os.PathLike[str], facts: Mapping[str, Any]) -> None:
        """Write the pages and `facts` to an image file; raises OutputNotWritable."""
        self._image.write(path, facts)

    def _keep(self, start: int, pages: bytes) -> None:
        for offset in range(0, len(pages) - PAGE_SIZE + 1, PAGE_SIZE):
            if len(self._image) < self._limit_pages or start + offset in self._image:
                self._image.add_page(start + offset, pages[offset : offset + PAGE_SIZE])
            else:
                self._complete = False


def _pages_around(address: int, size: int) -> tuple[int, int]:
    """First and last address of the pages that a region touches; none if it has no size."""
    if size <= 0:
        return address, address
    return address - address % PAGE_SIZE, -(-(address + size) // PAGE_SIZE) * PAGE_SIZE
