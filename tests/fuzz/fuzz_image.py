"""fuzz_image.py SECONDS [SEED]: mutate saved images and inspect them; only errors of memprobe may come out.

Three kinds of damage, in turn: bytes of the file (most die at the checksum), bytes of the file with the
checksum made right again, and bytes of memory or of the facts in an image that is otherwise sound. The last
kind reaches the decoders.
"""

from __future__ import annotations

import copy
import errno
import hashlib
import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pythons
from memprobe.errors import MemprobeError, ReadFault
from memprobe.target.binary.runtime import check_supported
from memprobe.target.inspection.assembly import decode, inspect_image, inspect_process
from memprobe.target.inspection.document import Inspection
from memprobe.target.inspection.evidence import from_image_facts
from memprobe.target.memory.image import ImageMemory, ImageWriter
from memprobe.target.memory.image_file import DIGEST_SIZE, PAGE_SIZE, ImageFile

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
SERVICE = Path(__file__).resolve().parent.parent / "targets" / "service.py"
SLOWEST_S = 20.0
"""One image of this size takes 0.1 s; a mutation may make lists longer, but not endless."""

INTERESTING = (
    0,
    1,
    2,
    7,
    8,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    1 << 31,
    (1 << 32) - 1,
    1 << 47,
    (1 << 63) - 1,
    (1 << 64) - 1,
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1 << 70,
    1.5,
    "",
    "x" * 5000,
    "\udc80\x1b[31m",
    [],
    {},
    [[]],
    {"a": 1},
)


class Pages:
    """Memory made of pages that a fuzzer may change; quicker than writing an image each time."""

    def __init__(self, pid: int, pages: dict[int, bytes]) -> None:
        self.pid = pid
        self.pages = pages

    def read(self, address: int, size: int) -> bytes:
        data = self._available(address, size)
        if len(data) != size:
            raise ReadFault(self.pid, address, size, errno.EFAULT)
        return data

    def read_many(self, regions: Sequence[tuple[int, int]]) -> list[bytes]:
        return [self._available(address, size) for address, size in regions]

    def read_into(self, regions: Sequence[tuple[int, int]], buffer: memoryview) -> list[int]:
        start, got = 0, []
        for (_, size), data in zip(regions, self.read_many(regions), strict=True):
            buffer[start : start + len(data)] = data
            got.append(len(data))
            start += size
        return got

    def _available(self, address: int, size: int) -> bytes:
        parts, end = [], address + min(size, len(self.pages) * PAGE_SIZE)
        while address < end and (page := self.pages.get(address - address % PAGE_SIZE)) is not None:
            parts.append(page[address % PAGE_SIZE : address % PAGE_SIZE + end - address])
            address += len(parts[-1])
        return b"".join(parts)


class Seed:
    """A sound image, taken apart."""

    def __init__(self, path: Path) -> None:
        self.raw = path.read_bytes()
        file = ImageFile(path)
        with ImageMemory(file) as memory:
            self.pid = memory.pid
            self.facts = memory.facts
            self.pages = {address: memory.read(address, PAGE_SIZE) for address in file.index.pages}


def seeds(folder: Path) -> list[Seed]:
    """The golden images, or one that is made now."""
    paths = sorted(GOLDEN.glob("*.mpimage"))
    if not paths:
        paths = [folder / "made.mpimage"]
        with pythons.own().spawn(SERVICE) as target:
            inspect_process(target.pid, save_image=str(paths[0]))
    return [Seed(path) for path in paths]


def damaged_file(chance: random.Random, seed: Seed, path: Path) -> Inspection:
    """Bytes flipped, cut off, or put in anywhere."""
    path.write_bytes(_damaged(chance, seed.raw))
    return inspect_image(str(path))


def damaged_file_with_checksum(chance: random.Random, seed: Seed, path: Path) -> Inspection:
    """The same, with a checksum that fits."""
    body = _damaged(chance, seed.raw[:-DIGEST_SIZE])
    path.write_bytes(body + hashlib.blake2b(body, digest_size=DIGEST_SIZE).digest())
    return inspect_image(str(path))


def damaged_memory(chance: random.Random, seed: Seed, path: Path) -> Inspection:
    """Words of memory changed, pages lost or swapped, under facts that are sound."""
    pages, addresses = dict(seed.pages), list(seed.pages)
    for _ in range(chance.choice((1, 1, 3, 30))):
        address = chance.choice(addresses)
        match chance.randrange(20):
            case 0:
                pages.pop(address, None)
            case 1:
                pages[address] = seed.pages[chance.choice(addresses)]
            case _:
                pages[address] = _changed_page(chance, seed.pages[address], addresses)
    return decode(Pages(seed.pid, pages), from_image_facts(seed.facts, str(path)))


def damaged_facts(chance: random.Random, seed: Seed, path: Path) -> Inspection:
    """Values of the facts replaced, removed, or changed a little, over memory that is sound."""
    facts = copy.deepcopy(seed.facts)
    for _ in range(chance.choice((1, 1, 2, 5))):
        _change_value(chance, facts)
    writer = ImageWriter(seed.pid)
    writer.write(path, facts)
    with ImageMemory.open(path) as memory:
        evidence = from_image_facts(memory.facts, str(path))
    check_supported(evidence.runtimes[0])
    return decode(Pages(seed.pid, seed.pages), evidence)


def _damaged(chance: random.Random, raw: bytes) -> bytes:
    data = bytearray(raw)
    match chance.randrange(4):
        case 0:
            return bytes(data[: chance.randrange(len(data))])
        case 1:
            return chance.randbytes(chance.randrange(2000))
        case 2:
            at = chance.randrange(len(data))
            data[at:at] = chance.randbytes(chance.randrange(1, 100))
        case _:
            near = chance.choice((64, 2000, len(data)))
            for _ in range(chance.choice((1, 2, 8, 50))):
                data[chance.randrange(near)] = chance.randrange(256)
    return bytes(data)


def _changed_page(chance: random.Random, page: bytes, addresses: list[int]) -> bytes:
    content = bytearray(page)
    for _ in range(chance.choice((1, 4, 64))):
        at = chance.randrange(0, PAGE_SIZE, 8)
        old = int.from_bytes(content[at : at + 8], "little")
        new = (
            old ^ 1 << chance.randrange(64),
            (old + chance.choice((-16, -8, -1, 1, 8, 16))) % (1 << 64),
            chance.choice(INTERESTING),
            chance.choice(addresses) + chance.randrange(0, PAGE_SIZE, 8),
        )
        content[at : at + 8] = chance.choice(new).to_bytes(8, "little")
    return bytes(content)


def _change_value(chance: random.Random, value: Any) -> None:
    """Walk to a random place inside and change what is there."""
    while True:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        if not keys:
            return
        key = chance.choice(keys)
        inner = value[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.9:
            value = inner
            continue
        if isinstance(inner, int) and not isinstance(inner, bool) and chance.random() < 0.5:
            value[key] = chance.choice((inner + 1, inner - 8, inner ^ 1 << chance.randrange(64), -inner))
        elif chance.random() < 0.1:
            del value[key]
        else:
            value[key] = copy.deepcopy(chance.choice(VALUES))
        return


KINDS: tuple[Callable[[random.Random, Seed, Path], Inspection], ...] = (
    damaged_file,
    damaged_file_with_checksum,
    damaged_facts,
    damaged_memory,
    damaged_memory,
    damaged_memory,
)


def main(seconds: float, seed_number: int) -> int:
    """Run for about so long; print what came out; 1 if anything but an error of memprobe did."""
    outcomes, slowest_s, number = Counter[str](), 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        sound, end = seeds(Path(folder)), time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.monotonic()
            outcome = attempt(sound, seed_number, number, Path(folder) / "fuzzed.mpimage")
            slowest_s = max(slowest_s, time.monotonic() - start)
            outcomes[outcome] += 1
            if outcome.startswith("FAILED") or slowest_s > SLOWEST_S:
                print(outcome)
                print(f"after {slowest_s:.1f} s; again: fuzz_image.py only:{number} {seed_number}")
                return 1
            number += 1
    kinds = ", ".join(f"{kind} {count}" for kind, count in outcomes.most_common())
    print(f"{number} images, seed {seed_number}; slowest {slowest_s:.2f} s; {kinds}")
    return 0


def attempt(sound: list[Seed], seed_number: int, number: int, path: Path) -> str:
    """Make and inspect the image of this number; what came of it in a word."""
    chance = random.Random(f"{seed_number}/{number}")
    try:
        inspection = KINDS[number % len(KINDS)](chance, chance.choice(sound), path)
        json.dumps(inspection.to_dict(), allow_nan=False)
    except MemprobeError as error:
        return type(error).__name__ if error.exit_code != MemprobeError.exit_code else f"FAILED {error!r}"
    except Exception:  # noqa: BLE001 (that is what is looked for)
        return f"FAILED {traceback.format_exc()}"
    return f"tier {inspection.target.tier}"


def again(number: int, seed_number: int) -> int:
    """Make one image once more, after a failure."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = attempt(seeds(Path(folder)), seed_number, number, Path(folder) / "fuzzed.mpimage")
    print(outcome)
    return int(outcome.startswith("FAILED"))


if __name__ == "__main__":
    first, *rest = sys.argv[1:]
    chosen = int(rest[0]) if rest else random.SystemRandom().randrange(1 << 32)
    if first.startswith("only:"):
        sys.exit(again(int(first.removeprefix("only:")), chosen))
    sys.exit(main(float(first), chosen))
