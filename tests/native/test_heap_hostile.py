"""The walk over memory that was made to mislead it: it ends, within bounds, and says what it met."""

from __future__ import annotations

import ctypes
import mmap
import os
import random
import struct
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from memprobe.heap.plan import scan_plan
from memprobe.native._heap import Heap
from memprobe.target.layouts import VERSIONS, Layout, load_layout

PAGE = 4096
ARENAS = 4 << 20
REGION = 2 << 20
TYPES = 1 << 16
TYPE_STEP = 1024
RECORD = struct.Struct("<QqqIIII")
SEEDS = int(os.environ.get("MEMPROBE_FUZZ_SEEDS", "12"))


class Playground:
    """Memory of this very process, laid out as arenas, a region of malloc's, and type objects."""

    def __init__(self, layout: Layout, seed: int) -> None:
        self.random = random.Random(seed)
        self.layout = layout
        self.memory = mmap.mmap(-1, ARENAS + REGION + TYPES)
        self.view = memoryview(self.memory)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.types = [self.start + ARENAS + REGION + n * TYPE_STEP for n in range(TYPES // TYPE_STEP)]
        self.kinds = {address: self._record() for address in self.types}
        self.kinds[self.types[0]] = RECORD.pack(1 << 31 | 1 << 14, 416, 40, 9, 16, 0, 0)
        for address in self.types:
            self.put(address + 8, self.types[0])

    def put(self, address: int, *words: int) -> None:
        struct.pack_into(f"<{len(words)}Q", self.memory, address - self.start, *(w % 2**64 for w in words))

    def _record(self) -> bytes:
        pick = self.random.choice
        flags = pick([0, 1 << 14, 1 << 31, 1 << 4, 1 << 2, 1 << 9]) | pick([0, 1 << 14])
        basicsize = pick([16, 24, 24, 32, 32, 40, 56, 64, 200, 416, 1 << 20, 1 << 30])
        return RECORD.pack(
            flags, basicsize, pick([0, 0, 1, 8, 1 << 30]), self.random.randrange(14), pick([0, 16, 32]), 0, 0
        )

    def describe(self, address: int) -> bytes | None:
        return self.kinds.get(address)

    def word(self) -> int:
        """A number of the sort that misleads."""
        pick, inside = self.random.randrange, self.start + self.random.randrange(ARENAS + REGION)
        return [
            pick(2**64),
            pick(4),
            inside & ~7,
            inside & ~15,
            inside,
            self.random.choice(self.types),
            1 << pick(64),
            -(1 << pick(63)),
            pick(1 << 20),
            32 * pick(100) | 1,
        ][pick(10)]

    def fill(self) -> None:
        """Random words everywhere, then pools and objects that are nearly right."""
        words = [self.word() for _ in range(4096)]
        block = struct.pack("<4096Q", *(word % 2**64 for word in words))
        for at in range(0, ARENAS + REGION, len(block)):
            shift = 8 * self.random.randrange(4096)
            self.view[at : at + len(block)] = block[shift:] + block[:shift]
        size = self.layout.constant("POOL_SIZE")
        for address in range(-(-self.start // size) * size, self.start + ARENAS - size + 1, size):
            self._pool(address)
        for _ in range(60_000):
            at = self.start + 16 * self.random.randrange((ARENAS + REGION) // 16 - 2)
            self.put(at, self.random.choice([1, 2, 1 << 31, 0, 3 << 30]), self.random.choice(self.types))

    def _pool(self, address: int) -> None:
        size_class = self.random.randrange(32)
        size, pool_size = 16 * (size_class + 1), self.layout.constant("POOL_SIZE")
        most = (pool_size - 48) // size
        carved = self.random.randrange(most + 1)
        last = pool_size - size
        free = address + 48 + size * self.random.randrange(most + 2)
        count = self.random.choice([carved, carved, carved, carved // 2, 0, 1, 2**32 - 1])
        base = address - self.start
        if self.random.random() < 0.9:
            struct.pack_into("<IIQ", self.memory, base, count, 0, self.random.choice([0, 0, free]))
            struct.pack_into("<IIII", self.memory, base + 32, 0, size_class, 48 + carved * size, last)

    @contextmanager
    def heap(self, describe: Callable[[int], bytes | None] | None = None) -> Iterator[Heap]:
        plan = scan_plan(self.layout, self.types[0])
        mem, pagemap = (os.open(f"/proc/self/{name}", os.O_RDONLY) for name in ("mem", "pagemap"))
        half = ARENAS // 2
        arenas = array("Q", [self.start, half, self.start + half, ARENAS - half])
        regions = array("Q", [self.start + ARENAS, REGION, self.random.randrange(2)])
        try:
            yield Heap(os.getpid(), -1, mem, pagemap, plan, arenas, regions, describe or self.describe)
        finally:
            os.close(mem)
            os.close(pagemap)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_walk_over_random_memory_ends(version: tuple[int, int]) -> None:
    layout = load_layout(version)
    met = 0
    for seed in range(SEEDS):
        ground = Playground(layout, seed)
        ground.fill()
        with ground.heap() as heap:
            rows, _ = heap.census()
            counters = heap.counters()
            met += counters["objects"]
            assert counters["objects"] <= (ARENAS + REGION) // 16
            assert len(rows) == 48 * len(ground.types) or len(rows) % 48 == 0
            keys, sample = heap.sample(array("Q", range(ground.start, ground.start + ARENAS, PAGE)), b"")
            assert len(keys) // 8 == len(sample) // 48
            heap.pool_headers(1)
            heap.frozen(ground.start + 16)
    assert met > 100 * SEEDS


def test_a_plan_that_lies_is_refused() -> None:
    ground = Playground(load_layout((3, 13)), 1)
    plan = scan_plan(ground.layout, ground.types[0])
    for name, value in [("pool_size", 3), ("pool_size", 1 << 30), ("type_size", 1 << 20), ("pool_szidx", 99)]:
        with pytest.raises(ValueError, match="plan"):
            Heap(os.getpid(), -1, -1, -1, {**plan, name: value}, b"", b"", ground.describe)
    with pytest.raises(ValueError, match="nobody"):
        Heap(os.getpid(), -1, -1, -1, {**plan, "no such": 1}, b"", b"", ground.describe)


def test_regions_that_overlap_are_refused() -> None:
    ground = Playground(load_layout((3, 13)), 1)
    plan = scan_plan(ground.layout, ground.types[0])
    for arenas in ([PAGE, PAGE, PAGE, PAGE], [1, PAGE], [PAGE, 0], [1 << 60, PAGE]):
        with pytest.raises(ValueError, match="in order"):
            Heap(os.getpid(), -1, -1, -1, plan, array("Q", arenas), b"", ground.describe)


def test_what_describe_raises_ends_the_walk() -> None:
    ground = Playground(load_layout((3, 13)), 2)
    ground.fill()

    def fail(_: int) -> bytes:
        raise KeyError("describe")

    with ground.heap(fail) as heap, pytest.raises(KeyError, match="describe"):
        heap.census()


def test_a_record_that_is_none_is_no_type() -> None:
    ground = Playground(load_layout((3, 13)), 3)
    ground.fill()
    ground.kinds = dict.fromkeys(ground.types, b"short")
    with ground.heap() as heap:
        assert heap.census() == (b"", 0)
        assert heap.find_type(ground.types[1]) == -1
