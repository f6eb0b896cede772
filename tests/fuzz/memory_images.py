"""memory_images.py SECONDS: damage memory images in every way, and hold that each is read or refused.

Two kinds: damage as it happens (the checksum has to find all of it), and damage by somebody who then
computes the checksum anew (the checks behind it have to hold alone).
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import struct
import sys
import tempfile
import time
import zlib
from pathlib import Path

from memprobe.errors import ReadFault, UnreadableImage
from memprobe.target.memory.image import ImageMemory, ImageWriter
from memprobe.target.memory.image_file import DIGEST_SIZE, HEADER, PAGE_SIZE, PAGES_PER_BLOCK

EDGES = (0, 1, 2, 64, 65, 0xFF, 1 << 20, 1 << 31, (1 << 32) - 1, 1 << 62, (1 << 64) - 1)


def whole_image(folder: Path, chance: random.Random) -> bytes:
    """An image with some pages at random places."""
    writer = ImageWriter(chance.randrange(1 << 22))
    start = chance.randrange(1 << 40) * PAGE_SIZE
    for _ in range(chance.choice((0, 1, 3, 70, 200))):
        start += PAGE_SIZE * chance.choice((1, 1, 1, 2, 99))
        writer.add_page(start, chance.choice((bytes(PAGE_SIZE), chance.randbytes(16) * 256)))
    facts = {"list": list(range(chance.randrange(50))), "text": "x" * chance.randrange(99)}
    writer.write(folder / "whole", facts)
    return (folder / "whole").read_bytes()


def flip_bit(content: bytearray, at: int, chance: random.Random) -> None:
    """Change one bit."""
    content[at] ^= 1 << chance.randrange(8)


def exchange(content: bytearray, at: int, chance: random.Random) -> None:
    """Put no, one or two bytes in the place of one."""
    content[at : at + 1] = chance.randbytes(chance.randrange(3))


def cut(content: bytearray, at: int, chance: random.Random) -> None:
    """Take some bytes out."""
    del content[at : at + chance.randrange(5000)]


def repeat(content: bytearray, at: int, chance: random.Random) -> None:
    """Put the beginning somewhere else once more."""
    content[at:at] = content[: chance.randrange(200)]


def set_number(content: bytearray, at: int, chance: random.Random) -> None:
    """Put in a number at the end of some range."""
    content[at : at + 8] = struct.pack("<Q", chance.choice(EDGES))


def set_field(content: bytearray, at: int, chance: random.Random) -> None:
    """Change a number of the header, wherever `at` is."""
    if len(content) >= HEADER.size:
        struct.pack_into("<Q", content, 16 + 8 * (at % 4), chance.choice(EDGES))


CHANGES = (flip_bit, exchange, cut, repeat, set_number, set_field)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """One to four changes, half of them near the beginning."""
    result = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        end = len(result) if chance.random() < 0.5 else min(len(result), HEADER.size + 64)
        if end:
            chance.choice(CHANGES)(result, chance.randrange(end), chance)
    return bytes(result)


def sealed(content: bytes) -> bytes:
    """The content with sizes and a checksum that fit, as far as that can be done."""
    if len(content) < HEADER.size + DIGEST_SIZE:
        return content
    body = bytearray(content[:-DIGEST_SIZE])
    fields = list(HEADER.unpack_from(body))
    tables = 8 * fields[3] + 4 * -(-fields[3] // PAGES_PER_BLOCK)
    fields[6] = max(0, len(body) - HEADER.size - fields[4] - tables)
    HEADER.pack_into(body, 0, *fields)
    return bytes(body) + hashlib.blake2b(body, digest_size=DIGEST_SIZE).digest()


def with_other_facts(whole: bytes, chance: random.Random) -> bytes:
    """The image with facts that were damaged before they were compressed."""
    fields = list(HEADER.unpack_from(whole))
    end = HEADER.size + fields[4]
    plain = damaged(zlib.decompress(whole[HEADER.size : end]), chance)
    packed = zlib.compress(plain)
    fields[4:6] = len(packed), len(plain)
    return sealed(HEADER.pack(*fields) + packed + whole[end:])


def with_other_block(whole: bytes, chance: random.Random) -> bytes:
    """The image with its last block damaged before it was compressed."""
    fields = HEADER.unpack_from(whole)
    blocks = -(-fields[3] // PAGES_PER_BLOCK)
    if blocks == 0:
        return whole
    table = HEADER.size + fields[4] + 8 * fields[3] + 4 * (blocks - 1)
    (size,) = struct.unpack_from("<I", whole, table)
    start = len(whole) - DIGEST_SIZE - size
    packed = zlib.compress(damaged(zlib.decompress(whole[start:-DIGEST_SIZE]), chance))
    changed = whole[:table] + struct.pack("<I", len(packed)) + whole[table + 4 : start] + packed
    return sealed(changed + bytes(DIGEST_SIZE))


def look(path: Path) -> bool:
    """Read everything in an image; whether it could be opened. Any other error is a find."""
    try:
        memory = ImageMemory.open(path)
    except UnreadableImage:
        return False
    with memory:
        assert isinstance(memory.facts, dict)
        for address in [*memory._pages[:300], 0, (1 << 64) - PAGE_SIZE]:
            with contextlib.suppress(ReadFault, UnreadableImage):
                assert len(memory.read(address - 1, PAGE_SIZE + 2)) == PAGE_SIZE + 2
            with contextlib.suppress(UnreadableImage):
                assert len(memory.read_many([(address, PAGE_SIZE)])[0]) in (0, PAGE_SIZE)
    return True


def fuzz_one(whole: bytes, path: Path, chance: random.Random) -> bool:
    """Damage an image once and look at it; whether it could be opened."""
    kind = chance.choice(("accident", "accident", "stranger", "facts", "block"))
    if kind == "accident":
        path.write_bytes(damaged(whole, chance))
        opened = look(path)
        assert not opened or path.read_bytes() == whole, "the checksum has not found it"
        return opened
    make = {"facts": with_other_facts, "block": with_other_block}
    path.write_bytes(make[kind](whole, chance) if kind in make else sealed(damaged(whole, chance)))
    return look(path)


def fuzz(folder: Path, seconds: float, seed: int) -> str:
    """Fuzz for so long; what was done."""
    chance, end = random.Random(seed), time.monotonic() + seconds
    tried = opened = 0
    while time.monotonic() < end:
        whole = whole_image(folder, chance)
        for _ in range(200):
            opened += fuzz_one(whole, folder / "damaged", chance)
            tried += 1
    return f"{tried} damaged images, {opened} of them readable, none did harm (seed {seed})"


def main(seconds: str) -> int:
    """Fuzz; keep the image that made something fail."""
    seed = time.time_ns()
    with tempfile.TemporaryDirectory() as name:
        try:
            print(fuzz(Path(name), float(seconds), seed))
        except Exception:
            kept = Path(f"fuzz-{seed}.mpimage").resolve()
            kept.write_bytes((Path(name) / "damaged").read_bytes())
            print(f"seed {seed}: {kept} is what was looked at")
            raise
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
