"""Memory saved in a file: ImageWriter makes it, ImageMemory reads it like a live process."""

from __future__ import annotations

import errno
import os
from bisect import bisect_left
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from memprobe.errors import OutputNotWritable, ReadFault
from memprobe.target.memory.image_file import PAGE_SIZE, PAGES_PER_BLOCK, ImageFile, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

# 64 blocks unpacked at a time: 16 MiB.
_BLOCKS_KEPT = 64


class ImageWriter:
    """Collects pages of memory, and writes them to a file with facts about their process."""

    def __init__(self, pid: int) -> None:
        """Make an empty image of process `pid`."""
        self._pid = pid
        self._pages: dict[int, bytes] = {}

    def __len__(self) -> int:
        """The number of pages collected."""
        return len(self._pages)

    def __contains__(self, address: int) -> bool:
        """Whether the page at `address` has been collected."""
        return address in self._pages

    def add_page(self, address: int, content: bytes) -> None:
        """Put a page in, in place of what was there before."""
        if address % PAGE_SIZE or not 0 <= address < 1 << 64 or len(content) != PAGE_SIZE:
            raise ValueError(f"not a page: {len(content)} bytes at {address:#x}")
        self._pages[address] = content

    def add(self, address: int, content: bytes) -> None:
        """Put in memory that begins and ends at page boundaries."""
        for start in range(0, len(content), PAGE_SIZE):
            self.add_page(address + start, content[start : start + PAGE_SIZE])

    def write(self, path: str | os.PathLike[str], facts: Mapping[str, Any]) -> None:
        """Write the image with `facts`, which is anything that JSON can hold.

        The file is complete or not there, and only its owner may read it: it is the memory of a
        process. Raises OutputNotWritable.
        """
        try:
            _replace_file(Path(path), encode(self._pid, facts, self._pages))
        except OSError as error:
            raise OutputNotWritable(
                f"cannot write the memory image {os.fspath(path)!r}: {error.strerror}"
            ) from None


def _replace_file(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file of mode 0600 under another name first; never through a link or into a device."""
    import tempfile  # slow to import, and reading an image does not need it

    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is there already and not a regular file")
    handle, temporary = tempfile.mkstemp(prefix=".memprobe-", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.writelines(parts)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class ImageMemory:
    """Memory of a process as an image file has it; what is not in the file faults."""

    def __init__(self, file: ImageFile) -> None:
        """Serve reads from an image file that is open."""
        self._file = file
        self._pages = file.index.pages
        self._block = lru_cache(_BLOCKS_KEPT)(file.block)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open an image; raises UnreadableImage for whatever is wrong with it."""
        return cls(ImageFile(Path(path)))

    @property
    def pid(self) -> int:
        """The pid that the process had."""
        return self._file.index.pid

    @property
    def facts(self) -> dict[str, Any]:
        """What was stored beside the memory."""
        return self._file.index.facts

    @property
    def size_bytes(self) -> int:
        """How much memory the image has."""
        return len(self._pages) * PAGE_SIZE

    def read(self, address: int, size: int) -> bytes:
        """Return exactly `size` bytes, or raise ReadFault."""
        data = self._available(address, size)
        if len(data) != size:
            raise ReadFault(self.pid, address, size, errno.EFAULT)
        return data

    def read_many(self, regions: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read many (address, size) regions at once; a region that faults comes back short."""
        return [self._available(address, size) for address, size in regions]

    def read_into(self, regions: Sequence[tuple[int, int]], buffer: memoryview) -> list[int]:
        """Fill `buffer` with the regions back to back; return the bytes that each one got."""
        if sum(size for _, size in regions) > buffer.nbytes:
            raise ValueError("the buffer is smaller than the regions together")
        start, got = 0, []
        for address, size in regions:
            data = self._available(address, size)
            buffer[start : start + len(data)] = data
            got.append(len(data))
            start += size
        return got

    def close(self) -> None:
        """Close the file; reads raise ValueError from now on."""
        self._block.cache_clear()
        self._file.close()

    def __enter__(self) -> Self:
        """Return the memory itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def _available(self, address: int, size: int) -> bytes:
        """What the image has of a region before its first gap."""
        end = address + min(size, self.size_bytes)
        return b"".join(self._pieces(address, end)) if address >= 0 else b""

    def _pieces(self, address: int, end: int) -> Iterator[bytes]:
        number = bisect_left(self._pages, address - address % PAGE_SIZE)
        while address < end and number < len(self._pages):
            start = self._pages[number]
            if not start <= address < start + PAGE_SIZE:
                return
            base = number % PAGES_PER_BLOCK * PAGE_SIZE - start
            stop = min(end, start + PAGE_SIZE)
            yield self._block(number // PAGES_PER_BLOCK)[base + address : base + stop]
            address, number = stop, number + 1
