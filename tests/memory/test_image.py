"""Saved memory: what goes in comes out, and what is not an image is always said to be none."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import stat
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memprobe.errors import OutputNotWritable, ReadFault, UnreadableImage
from memprobe.target.memory.image import ImageMemory, ImageWriter
from memprobe.target.memory.image_file import DIGEST_SIZE, FACTS_LIMIT, HEADER, PAGE_SIZE, PAGES_PER_BLOCK
from memprobe.vocab import Memory

FACTS: dict[str, Any] = {
    "cmdline": ["python", "a b"],
    "runtime": 0x7F00_0000_1000,
    "note": "é\ud800\x1b[31m",
    "no": None,
}
BASE = 0x7F12_3456_7000


def page(number: int) -> bytes:
    return random.Random(number).randbytes(PAGE_SIZE)


def save(path: Path, pages: dict[int, bytes], facts: dict[str, Any] | None = None, pid: int = 4711) -> Path:
    writer = ImageWriter(pid)
    for address, content in pages.items():
        writer.add_page(address, content)
    writer.write(path, {} if facts is None else facts)
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """An image with two pages side by side, one apart, and facts."""
    pages = {BASE: b"A" * PAGE_SIZE, BASE + PAGE_SIZE: page(1), BASE + 5 * PAGE_SIZE: page(2)}
    return save(tmp_path / "small.mpimage", pages, FACTS)


def test_what_was_saved_is_read(small: Path) -> None:
    with ImageMemory.open(small) as memory:
        assert isinstance(memory, Memory)
        assert (memory.pid, memory.facts, memory.size_bytes) == (4711, FACTS, 3 * PAGE_SIZE)
        assert memory.read(BASE + PAGE_SIZE - 3, 6) == b"AAA" + page(1)[:3]
        assert memory.read(BASE + 5 * PAGE_SIZE, PAGE_SIZE) == page(2)
        assert memory.read(0, 0) == b""


def test_what_was_not_saved_faults(small: Path) -> None:
    with ImageMemory.open(small) as memory:
        for address, size in (
            (BASE - 1, 2),
            (BASE + 2 * PAGE_SIZE - 1, 2),
            (0, 1),
            (BASE + 6 * PAGE_SIZE, 1),
        ):
            with pytest.raises(ReadFault) as caught:
                memory.read(address, size)
            assert (caught.value.pid, caught.value.errno) == (4711, errno.EFAULT)


@pytest.mark.parametrize(
    ("address", "size"),
    [(-1, 8), (1 << 64, 8), (BASE, 1 << 60), (BASE, -1), (-(1 << 80), 1 << 81), ((1 << 64) - 1, 9)],
)
def test_nonsense_is_a_fault(small: Path, address: int, size: int) -> None:
    with ImageMemory.open(small) as memory:
        with pytest.raises(ReadFault):
            memory.read(address, size)
        assert memory.read_many([(BASE, 2), (address, min(size, 99))])[0] == b"AA"


def test_many_regions_come_as_far_as_they_go(small: Path) -> None:
    regions = [(BASE + 2 * PAGE_SIZE - 2, 5), (3, 4), (BASE, 2)]
    with ImageMemory.open(small) as memory:
        assert memory.read_many(regions) == [page(1)[-2:], b"", b"AA"]
        buffer = memoryview(bytearray(b"." * 11))
        assert memory.read_into(regions, buffer) == [2, 0, 2]
        assert bytes(buffer) == page(1)[-2:] + b"." * 7 + b"AA"
        with pytest.raises(ValueError, match="smaller"):
            memory.read_into(regions, memoryview(bytearray(10)))


def test_closed_is_closed(small: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    memory = ImageMemory.open(small)
    memory.close()
    memory.close()
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ValueError, match="is closed"):
        memory.read(BASE, 1)


def test_an_image_of_many_blocks(tmp_path: Path) -> None:
    count = 3 * PAGES_PER_BLOCK + 7
    path = save(
        tmp_path / "large", {BASE + i * PAGE_SIZE: bytes([i & 255]) * PAGE_SIZE for i in range(count)}
    )
    assert path.stat().st_size < count * PAGE_SIZE / 50
    with ImageMemory.open(path) as memory:
        expected = b"".join(bytes([i & 255]) * PAGE_SIZE for i in range(count))
        assert memory.read(BASE, count * PAGE_SIZE) == expected
        assert memory.read(BASE + 63 * PAGE_SIZE, 2 * PAGE_SIZE) == expected[63 * PAGE_SIZE : 65 * PAGE_SIZE]


def test_an_empty_image(tmp_path: Path) -> None:
    with ImageMemory.open(save(tmp_path / "empty", {})) as memory:
        assert (memory.size_bytes, memory.facts) == (0, {})
        with pytest.raises(ReadFault):
            memory.read(0, 1)


ADDRESSES = st.one_of(
    st.integers(0, 200), st.sampled_from([0, (1 << 52) - 1, 1 << 35]), st.integers(0, (1 << 52) - 1)
).map(lambda number: number * PAGE_SIZE)
CONTENTS = st.one_of(st.integers().map(page), st.sampled_from([bytes(PAGE_SIZE), b"\xff" * PAGE_SIZE]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pages=st.dictionaries(ADDRESSES, CONTENTS, max_size=150),
    facts=st.dictionaries(st.text(), JSON, max_size=5),
    pid=st.integers(0, (1 << 32) - 1),
)
def test_every_image_comes_back(
    tmp_path: Path, pages: dict[int, bytes], facts: dict[str, Any], pid: int
) -> None:
    with ImageMemory.open(save(tmp_path / "image", pages, facts, pid)) as memory:
        assert (memory.pid, memory.facts, memory.size_bytes) == (pid, facts, len(pages) * PAGE_SIZE)
        for address, content in pages.items():
            assert memory.read(address, PAGE_SIZE) == content
            if address + PAGE_SIZE not in pages:
                assert memory.read_many([(address + 1, PAGE_SIZE)]) == [content[1:]]


class TestWriter:
    """What may go into an image, and what a file of memory must be like."""

    @pytest.mark.parametrize(
        ("address", "size"), [(1, PAGE_SIZE), (-PAGE_SIZE, PAGE_SIZE), (1 << 64, PAGE_SIZE), (0, 5), (0, 0)]
    )
    def test_only_pages_go_in(self, address: int, size: int) -> None:
        with pytest.raises(ValueError, match="not a page"):
            ImageWriter(1).add_page(address, bytes(size))

    def test_several_pages_at_once(self, tmp_path: Path) -> None:
        writer = ImageWriter(1)
        writer.add(BASE, page(1) + page(2))
        assert len(writer) == 2
        assert BASE + PAGE_SIZE in writer
        with pytest.raises(ValueError, match="not a page"):
            writer.add(BASE, bytes(PAGE_SIZE + 1))

    def test_only_the_owner_may_read_it(self, tmp_path: Path) -> None:
        path = tmp_path / "image"
        path.touch(0o644)
        save(path, {})
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_a_link_is_replaced_not_followed(self, tmp_path: Path) -> None:
        precious = tmp_path / "precious"
        precious.write_text("as it was")
        (tmp_path / "image").symlink_to(precious)
        save(tmp_path / "image", {})
        assert precious.read_text() == "as it was"
        assert not (tmp_path / "image").is_symlink()

    @pytest.mark.parametrize("where", ["/dev/full", "/dev/null", ".", "nowhere/image", "x" * 300])
    def test_where_it_cannot_be_written(self, tmp_path: Path, where: str) -> None:
        with pytest.raises(OutputNotWritable, match="cannot write the memory image") as caught:
            save(tmp_path / where, {})
        assert caught.value.exit_code == 8
        assert list(tmp_path.iterdir()) == [], "nothing is left behind"

    def test_facts_that_no_image_could_hold(self, tmp_path: Path) -> None:
        with pytest.raises(OutputNotWritable, match="facts"):
            save(tmp_path / "image", {}, {"large": "x" * FACTS_LIMIT})
        with pytest.raises(ValueError, match="JSON"):
            save(tmp_path / "image", {}, {"number": float("nan")})
        assert list(tmp_path.iterdir()) == []


class TestNoImage:
    """Every file that is not a whole image raises UnreadableImage when it is opened."""

    def refused(self, path: Path) -> str:
        with pytest.raises(UnreadableImage) as caught:
            ImageMemory.open(path)
        assert caught.value.exit_code == 7
        assert "\n" not in caught.value.line
        return caught.value.line

    def test_cut_anywhere(self, small: Path, tmp_path: Path) -> None:
        whole, cut = small.read_bytes(), tmp_path / "cut"
        for size in range(0, len(whole), 1 if len(whole) < 500 else 17):
            cut.write_bytes(whole[:size])
            self.refused(cut)
        cut.write_bytes(whole[:-1])
        assert "header announces" in self.refused(cut)

    def test_something_after_the_end(self, small: Path) -> None:
        small.write_bytes(small.read_bytes() + b"\0")
        assert "header announces" in self.refused(small)

    def test_every_bit(self, tmp_path: Path) -> None:
        path = save(tmp_path / "image", {BASE: bytes(PAGE_SIZE)}, {"a": 1})
        whole = path.read_bytes()
        for number in range(8 * len(whole)):
            flipped = bytearray(whole)
            flipped[number // 8] ^= 1 << number % 8
            path.write_bytes(flipped)
            self.refused(path)

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(junk=st.binary(max_size=300), magic=st.booleans())
    def test_any_bytes(self, small: Path, junk: bytes, magic: bool) -> None:
        small.write_bytes(small.read_bytes()[:12] + junk if magic else junk)
        self.refused(small)

    def test_what_is_no_file_at_all(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to("link")
        assert "regular" in self.refused(tmp_path / "pipe"), "and it does not wait for a writer"
        assert "regular" in self.refused(tmp_path)
        assert "regular" in self.refused(Path("/dev/zero"))
        assert "No such file" in self.refused(tmp_path / "none")
        assert "symbolic links" in self.refused(tmp_path / "link")
        assert "not a file name" in self.refused(Path("a\0b"))

    def test_a_name_that_would_write_on_the_terminal(self, tmp_path: Path) -> None:
        path = tmp_path / "a\x1b[31m\nb"
        path.write_bytes(b"no image")
        assert "\x1b" not in self.refused(path)

    def test_the_cause_is_said(self, small: Path) -> None:
        whole = small.read_bytes()
        for content, cause in (
            (b"", "does not begin like one"),
            (b"PNG", "does not begin like one"),
            (whole[:20], "cut short inside its header"),
            (whole[:8] + struct.pack("<I", 2) + whole[12:], "format 2, and this memprobe reads format 1"),
            (whole[:-1] + bytes([whole[-1] ^ 1]), "checksum"),
        ):
            small.write_bytes(content)
            assert cause in self.refused(small)


def sealed(
    parts: list[bytes], *, pages: int, facts_plain: int, blocks: int, facts: int | None = None
) -> bytes:
    """A file made up by a stranger, whose checksum fits: header, facts, tables and blocks as told."""
    facts_size = len(parts[0]) if facts is None else facts
    header = HEADER.pack(b"\x89MPI\r\n\x1a\n", 1, 7, pages, facts_size, facts_plain, blocks)
    body = header + b"".join(parts)
    return body + hashlib.blake2b(body, digest_size=DIGEST_SIZE).digest()


EMPTY = zlib.compress(b"{}")
BLOCK = zlib.compress(bytes(PAGE_SIZE))


def one_page(address: int = 0, facts: bytes = b"{}", block: bytes = BLOCK, size: int | None = None) -> bytes:
    packed = zlib.compress(facts)
    table = struct.pack("<Q", address) + struct.pack("<I", len(block) if size is None else size)
    return sealed([packed, table, block], pages=1, facts_plain=len(facts), blocks=len(block))


HOSTILE = {
    "page not aligned": one_page(address=1),
    "block larger than all blocks": one_page(size=len(BLOCK) + 1),
    "facts are a list": one_page(facts=b"[]"),
    "facts are not JSON": one_page(facts=b"{"),
    "facts are not text": one_page(facts=b'{"a":"\xff"}'),
    "facts are nested without end": one_page(facts=b"[" * 100_000),
    "facts hold a number of a million digits": one_page(facts=b'{"a":' + b"9" * 1_000_000 + b"}"),
    "facts say they are endless": sealed([EMPTY], pages=0, facts_plain=1 << 63, blocks=0),
    "facts are shorter than they say": sealed([EMPTY], pages=0, facts_plain=3, blocks=0),
    "facts are longer than they say": sealed([EMPTY], pages=0, facts_plain=1, blocks=0),
    "facts do not unpack": sealed([b"xxxx"], pages=0, facts_plain=2, blocks=0),
    "facts have something after them": sealed([EMPTY + b"x"], pages=0, facts_plain=2, blocks=0),
    "pages twice": sealed(
        [EMPTY, struct.pack("<2QI", 0, 0, 9), bytes(9)], pages=2, facts_plain=2, blocks=9
    ),
    "pages fall": sealed(
        [EMPTY, struct.pack("<2QI", 4096, 0, 9), bytes(9)], pages=2, facts_plain=2, blocks=9
    ),
    "more pages than the file has bytes": sealed([EMPTY], pages=1 << 62, facts_plain=2, blocks=0),
    "more facts than the file has bytes": sealed([EMPTY], pages=0, facts_plain=2, blocks=0, facts=1 << 62),
    "blocks but no pages": sealed([EMPTY, bytes(9)], pages=0, facts_plain=2, blocks=9),
}  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_stranger_who_can_compute_a_checksum(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "image"
    path.write_bytes(content)
    with pytest.raises(UnreadableImage):
        ImageMemory.open(path)


@pytest.mark.parametrize(
    "block", [zlib.compress(bytes(1 << 28)), zlib.compress(bytes(10)), b"junk", BLOCK + b"x", BLOCK[:-1]]
)
def test_a_block_is_unpacked_to_its_size_and_no_further(tmp_path: Path, block: bytes) -> None:
    path = tmp_path / "image"
    path.write_bytes(one_page(block=block))
    tracemalloc.start()
    with pytest.raises(UnreadableImage), ImageMemory.open(path) as memory:
        memory.read(0, 8)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_a_bomb_of_facts_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "image"
    for size in (FACTS_LIMIT + 1, 10):
        facts = zlib.compress(bytes(FACTS_LIMIT + 1))
        path.write_bytes(sealed([facts], pages=0, facts_plain=size, blocks=0))
        tracemalloc.start()
        with pytest.raises(UnreadableImage):
            ImageMemory.open(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()


def test_a_file_that_shrinks_while_it_is_open(small: Path) -> None:
    with ImageMemory.open(small) as memory:
        os.truncate(small, 100)
        with pytest.raises(UnreadableImage, match="became shorter"):
            memory.read(BASE, 8)
