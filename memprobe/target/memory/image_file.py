"""The file format of a saved memory image.

    ┌────────────────┬────────────────────────────────────────────────────────────┐
    │ header, 48 B   │ magic, format, pid, page count, compressed and plain size  │
    │                │ of the facts, size of the blocks (struct HEADER)           │
    ├────────────────┼────────────────────────────────────────────────────────────┤
    │ facts          │ zlib: one JSON object; the format does not say what it has │
    ├────────────────┼────────────────────────────────────────────────────────────┤
    │ page table     │ u64 per page: its address; strictly rising, page-aligned   │
    ├────────────────┼────────────────────────────────────────────────────────────┤
    │ block table    │ u32 per block: its compressed size                         │
    ├────────────────┼────────────────────────────────────────────────────────────┤
    │ blocks         │ zlib: PAGES_PER_BLOCK pages each, the last one what is left│
    ├────────────────┼────────────────────────────────────────────────────────────┤
    │ digest, 32 B   │ blake2b of everything before it                            │
    └────────────────┴────────────────────────────────────────────────────────────┘

All numbers are little-endian. Every size is in the file before what it is the size of, and is held
against the size of the file before anything is allocated: an image from a stranger costs time and
memory in proportion to its length and to FACTS_LIMIT, no more. The digest finds accidents; it is no
defence, so the rest is checked as if there were none.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import struct
import sys
import zlib
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from memprobe.errors import UnreadableImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

PAGE_SIZE = 4096
# 64 pages (256 KiB) compress about as well as larger blocks do, and a stray read unpacks little.
PAGES_PER_BLOCK = 64
FORMAT = 1
# As in PNG, the first byte is not text and the line ends show a transfer in text mode.
MAGIC = b"\x89MPI\r\n\x1a\n"
HEADER = struct.Struct("<8sIIQQQQ")
DIGEST_SIZE = 32
# Room for the 65,530 mappings that a process may have; as Python objects some twenty times as much.
FACTS_LIMIT = 16 << 20
# zlib never makes data longer than this.
_LARGEST_BLOCK = PAGE_SIZE * PAGES_PER_BLOCK + 1024
_ADDRESS_END = 1 << 64


@dataclass(frozen=True, slots=True)
class ImageIndex:
    """Where everything is in an image whose form has been checked."""

    pid: int
    """The process that it was taken from."""

    facts: dict[str, Any]
    """What was stored beside the memory."""

    pages: array[int]
    """Addresses of the pages, rising."""

    blocks: list[tuple[int, int]]
    """Offset in the file and compressed size of each block."""


@dataclass(frozen=True, slots=True)
class _Header:
    pid: int
    page_count: int
    facts_size: int
    facts_plain_size: int
    blocks_size: int

    @property
    def block_count(self) -> int:
        return -(-self.page_count // PAGES_PER_BLOCK)

    @property
    def file_size(self) -> int:
        tables = 8 * self.page_count + 4 * self.block_count
        return HEADER.size + self.facts_size + tables + self.blocks_size + DIGEST_SIZE


def encode(pid: int, facts: Mapping[str, Any], pages: Mapping[int, bytes]) -> Iterator[bytes]:
    """The parts of an image file in their order. Every page has PAGE_SIZE bytes."""
    digest = hashlib.blake2b(digest_size=DIGEST_SIZE)
    for part in _encode_body(pid, facts, pages):
        digest.update(part)
        yield part
    yield digest.digest()


def _encode_body(pid: int, facts: Mapping[str, Any], pages: Mapping[int, bytes]) -> Iterator[bytes]:
    plain = json.dumps(facts, allow_nan=False, separators=(",", ":")).encode()
    if len(plain) > FACTS_LIMIT:
        raise OSError(errno.EFBIG, f"the facts about the process take more than {FACTS_LIMIT} bytes")
    packed = zlib.compress(plain)
    addresses = sorted(pages)
    blocks = [zlib.compress(block, 6) for block in _joined(addresses, pages)]
    blocks_size = sum(map(len, blocks))
    yield HEADER.pack(MAGIC, FORMAT, pid, len(addresses), len(packed), len(plain), blocks_size)
    yield packed
    yield _little_endian("Q", addresses)
    yield _little_endian("I", map(len, blocks))
    yield from blocks


def _joined(addresses: list[int], pages: Mapping[int, bytes]) -> Iterator[bytes]:
    for start in range(0, len(addresses), PAGES_PER_BLOCK):
        yield b"".join(pages[address] for address in addresses[start : start + PAGES_PER_BLOCK])


def _little_endian(kind: str, numbers: Iterable[int]) -> bytes:
    column = array(kind, numbers)
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


class ImageFile:
    """An open image file; its form is checked when it is opened, a block when it is unpacked."""

    def __init__(self, path: Path) -> None:
        """Open and check the image at `path`; whatever is wrong with it raises UnreadableImage."""
        self._path = path
        self._fd = _open(path)
        try:
            self.index = self._read_index()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def block(self, number: int) -> bytes:
        """The pages of one block, unpacked."""
        offset, size = self.index.blocks[number]
        pages = min(PAGES_PER_BLOCK, len(self.index.pages) - number * PAGES_PER_BLOCK)
        return self._unpacked(self._read_at(offset, size), pages * PAGE_SIZE)

    def _damaged(self, what: str) -> NoReturn:
        raise UnreadableImage(
            f"{str(self._path)!r} is not a readable memory image: {what}",
            remedy="save it again with `memprobe inspect PID --save-image FILE`",
        )

    def _read_index(self) -> ImageIndex:
        header = self._read_header()
        self._check_digest(header.file_size - DIGEST_SIZE)
        offset = HEADER.size
        facts = self._read_facts(offset, header)
        offset += header.facts_size
        pages = self._read_pages(offset, header.page_count)
        offset += 8 * header.page_count
        sizes = self._read_numbers("I", offset, header.block_count)
        return ImageIndex(header.pid, facts, pages, self._located(sizes, offset + 4 * len(sizes), header))

    def _read_header(self) -> _Header:
        size = os.fstat(self._fd).st_size
        raw = self._read_at(0, min(size, HEADER.size))
        if raw[: len(MAGIC)] != MAGIC[: len(raw)] or not raw:
            self._damaged("it does not begin like one")
        if len(raw) < HEADER.size:
            self._damaged("it is cut short inside its header")
        _, version, *numbers = HEADER.unpack(raw)
        if version != FORMAT:
            self._damaged(f"it has format {version}, and this memprobe reads format {FORMAT}")
        header = _Header(*numbers)
        if header.file_size != size:
            self._damaged(f"it has {size} bytes where its header announces {header.file_size}")
        return header

    def _check_digest(self, size: int) -> None:
        digest = hashlib.blake2b(digest_size=DIGEST_SIZE)
        for offset in range(0, size, 1 << 20):
            digest.update(self._read_at(offset, min(1 << 20, size - offset)))
        if self._read_at(size, DIGEST_SIZE) != digest.digest():
            self._damaged("its checksum does not fit, so it was changed after it was written")

    def _read_facts(self, offset: int, header: _Header) -> dict[str, Any]:
        if header.facts_plain_size > FACTS_LIMIT:
            self._damaged("its facts are too large")
        plain = self._unpacked(self._read_at(offset, header.facts_size), header.facts_plain_size)
        try:
            facts = json.loads(plain)
        except (ValueError, RecursionError):
            facts = None
        if not isinstance(facts, dict):
            self._damaged("its facts are not a JSON object")
        return facts

    def _read_pages(self, offset: int, count: int) -> array[int]:
        pages = self._read_numbers("Q", offset, count)
        low = -1
        for address in pages:
            if address <= low or address % PAGE_SIZE:
                self._damaged("its page table is out of order")
            low = address
        return pages

    def _located(self, sizes: array[int], offset: int, header: _Header) -> list[tuple[int, int]]:
        if sum(sizes) != header.blocks_size or max(sizes, default=0) > _LARGEST_BLOCK:
            self._damaged("its block table does not fit its blocks")
        blocks = []
        for size in sizes:
            blocks.append((offset, size))
            offset += size
        return blocks

    def _read_numbers(self, kind: str, offset: int, count: int) -> array[int]:
        column = array(kind)
        column.frombytes(self._read_at(offset, count * column.itemsize))
        if sys.byteorder == "big":
            column.byteswap()
        return column

    def _unpacked(self, packed: bytes, size: int) -> bytes:
        """Exactly `size` bytes and no rest; more is never unpacked, whatever the data say."""
        unpacker = zlib.decompressobj()
        try:
            plain = unpacker.decompress(packed, size + 1)
        except zlib.error:
            self._damaged("compressed data are damaged")
        if len(plain) != size or not unpacker.eof or unpacker.unused_data:
            self._damaged("compressed data have the wrong length")
        return plain

    def _read_at(self, offset: int, size: int) -> bytes:
        if self._fd < 0:
            raise ValueError(f"the memory image {str(self._path)!r} is closed")
        parts = []
        while size > 0:
            try:
                part = os.pread(self._fd, min(size, 1 << 26), offset)
            except OSError as error:
                self._damaged(f"{error.strerror}")
            if not part:
                self._damaged("it became shorter while it was being read")
            parts.append(part)
            offset += len(part)
            size -= len(part)
        return b"".join(parts)


def _open(path: Path) -> int:
    try:
        # O_NONBLOCK: opening a named pipe would wait for a writer.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UnreadableImage(f"cannot open the memory image {str(path)!r}: {error.strerror}") from None
    except ValueError:
        raise UnreadableImage(f"cannot open the memory image {str(path)!r}: not a file name") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UnreadableImage(f"{str(path)!r} is not a memory image: it is not a regular file")
    return fd
