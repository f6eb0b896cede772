"""fuzz_heap.py SECONDS [SEED]: damage the memory of stopped programs and read their heaps.

The programs are real ones, of several interpreters, stopped, and never go on: what is written into them is
read by memprobe only, and put back after each look. A look is a census, a sampled one, the graph,
dominators, retained sizes and garbage. It may say less than the truth, and count what it left out; it must
end in time, stay within its memory, and raise nothing but errors of memprobe. `make sanitize` runs it under
ASan.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import random
import resource
import signal
import struct
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pythons
from memprobe.errors import MemprobeError
from memprobe.heap.census import take_census
from memprobe.heap.dominators import find_dominators, retained_bytes
from memprobe.heap.garbage import explain_counts, find_garbage
from memprobe.heap.graph import TRACKED, HeapGraph, build_graph, open_for_graph
from memprobe.heap.opening import open_heap
from memprobe.heap.sampling import take_sample
from memprobe.native import _heap
from memprobe.target.inspection.opening import Opened, opened

PROGRAM = Path(__file__).resolve().parent.parent / "targets" / "many_kinds.py"
SLOWEST_S = 20.0
"""A sound one takes 0.2 s, under ASan 1 s. Damage may send more to the slow ways, but not without end."""
ENDLESS_S = 90.0
LARGEST_SPACE = 8 << 30
LARGEST_ARRAYS = 1 << 30
LARGEST_GROWTH_KB = 1 << 20

WORDS = (
    0,
    1,
    7,
    8,
    0x10,
    0xFF,
    0xFFFF,
    1 << 16,
    1 << 31,
    (1 << 32) - 1,
    1 << 40,
    1 << 47,
    (1 << 47) - 8,
    1 << 62,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 8,
    (1 << 64) - 1,
)


@dataclass
class Victim:
    """A stopped program, and what is known of it while it is sound."""

    name: str
    pid: int
    target: Opened
    graph: HeapGraph
    arenas: list[tuple[int, int]]
    regions: list[tuple[int, int]]
    memory: int
    """A descriptor of its memory, for writing."""
    changed: list[tuple[int, bytes]] = field(default_factory=list)

    def read(self, address: int, size: int) -> bytes:
        """Its memory as it is now."""
        return os.pread(self.memory, size, address)

    def write(self, address: int, data: bytes) -> None:
        """Damage it; what was there is kept. Where nothing can be written nothing is."""
        with contextlib.suppress(OSError, OverflowError):
            before = self.read(address, len(data))
            os.pwrite(self.memory, data[: len(before)], address)
            self.changed.append((address, before))

    def mend(self) -> None:
        """Put everything back."""
        while self.changed:
            address, before = self.changed.pop()
            os.pwrite(self.memory, before, address)


def word_of(chance: random.Random, victim: Victim) -> bytes:
    """Something to write: an interesting number, an object, somewhere in the heap, anything."""
    kind = chance.randrange(5)
    if kind == 0:
        value = chance.choice(WORDS)
    elif kind == 1:
        value = int(chance.choice(victim.graph.addresses)) + chance.choice((0, 0, 0, 8, 1, 2, 3, -16))
    elif kind == 2:
        value = int(chance.choice(victim.graph.type_addresses))
    elif kind == 3:
        start, size = chance.choice(victim.arenas + victim.regions)
        value = start + chance.randrange(size)
    else:
        value = chance.getrandbits(64)
    return struct.pack("<Q", value & (1 << 64) - 1)


def object_of(chance: random.Random, victim: Victim) -> int:
    return int(chance.choice(victim.graph.addresses))


def damage_words(chance: random.Random, victim: Victim) -> None:
    """Words anywhere."""
    for _ in range(chance.choice((1, 10, 100, 1000))):
        start, size = chance.choice(victim.arenas + victim.regions)
        victim.write(start + 8 * chance.randrange(size // 8), word_of(chance, victim))


def damage_types(chance: random.Random, victim: Victim) -> None:
    """Type pointers of objects."""
    for _ in range(chance.choice((1, 10, 1000))):
        victim.write(object_of(chance, victim) + 8, word_of(chance, victim))


def damage_lengths(chance: random.Random, victim: Victim) -> None:
    """What stands where lengths and pointers to tables stand."""
    for _ in range(chance.choice((1, 10, 1000))):
        victim.write(object_of(chance, victim) + 8 * chance.randrange(2, 7), word_of(chance, victim))


def damage_tables(chance: random.Random, victim: Victim) -> None:
    """The first words of what an object points to: keys, items, blocks, frames."""
    for _ in range(chance.choice((1, 10, 1000))):
        field_at = object_of(chance, victim) + 8 * chance.randrange(-4, 10)
        place = int.from_bytes(victim.read(field_at, 8), "little")
        if 4096 < place < 1 << 47:
            victim.write(place + 8 * chance.randrange(8), word_of(chance, victim))


def damage_collector(chance: random.Random, victim: Victim) -> None:
    """Links of the collector, values and dictionaries before objects: to elsewhere, and to themselves."""
    for _ in range(chance.choice((1, 10, 1000))):
        place = object_of(chance, victim) - 8 * chance.randrange(1, 5)
        itself = struct.pack("<Q", place)
        victim.write(place, chance.choice((itself, word_of(chance, victim))))


def damage_pools(chance: random.Random, victim: Victim) -> None:
    """Heads of pools, and lists of free blocks that are rings."""
    for _ in range(chance.choice((1, 5, 50))):
        start, size = chance.choice(victim.arenas or victim.regions)
        page = 4096 if victim.target.python is None else 4096 * chance.choice((1, 4))
        pool = start + page * chance.randrange(max(1, size // page))
        if chance.random() < 0.5:
            half = struct.pack("<I", chance.choice(WORDS) & 0xFFFFFFFF)
            victim.write(pool + 4 * chance.randrange(12), chance.choice((half, word_of(chance, victim))))
            continue
        block = pool + 48 + 16 * chance.randrange(page // 16 - 3)
        victim.write(pool + 8, struct.pack("<Q", block))
        victim.write(block, struct.pack("<Q", chance.choice((block, pool + 48, block + 16))))


def damage_type_objects(chance: random.Random, victim: Victim) -> None:
    """Types: their sizes, flags, names, bases."""
    for _ in range(chance.choice((1, 10, 100))):
        kind = int(chance.choice(victim.graph.type_addresses))
        victim.write(kind + 8 * chance.randrange(50), word_of(chance, victim))


def damage_chunks(chance: random.Random, victim: Victim) -> None:
    """Heads of malloc's chunks and what else is outside the arenas."""
    large = victim.graph.addresses[victim.graph.first_large :]
    for _ in range(chance.choice((1, 10, 100))):
        if len(large):
            victim.write(int(chance.choice(large)) - 8 * chance.randrange(7), word_of(chance, victim))


def damage_pages(chance: random.Random, victim: Victim) -> None:
    """Whole pages of noise."""
    for _ in range(chance.choice((1, 10))):
        start, size = chance.choice(victim.arenas + victim.regions)
        victim.write(start + 4096 * chance.randrange(size // 4096), chance.randbytes(4096))


DAMAGE: tuple[Callable[[random.Random, Victim], None], ...] = (
    damage_words,
    damage_types,
    damage_lengths,
    damage_tables,
    damage_collector,
    damage_pools,
    damage_type_objects,
    damage_chunks,
    damage_pages,
)


def look(victim: Victim) -> str:
    """Everything that is done with a heap; what came of it in a word."""
    target = victim.target
    assert target.python is not None
    with open_heap(target.process, target.python) as heap:
        census = take_census(heap)
        bytes_there = sum(size for _, size in victim.arenas + victim.regions)
        check(
            sum(row.count for row in census.rows) <= bytes_there // 16, "more objects than there is room for"
        )
        counters = heap.native.counters()
        take_sample(heap, 0.1, seed=1)
    with open_for_graph(target.process, target.python) as heap:
        graph = build_graph(heap)
    counts = explain_counts(graph.starts, graph.targets, graph.refcounts)
    roots = np.flatnonzero(counts > 0).astype(np.uint32)
    tree = find_dominators(graph.starts, graph.targets, roots)
    retained = retained_bytes(tree, graph.sizes)
    check(len(retained) == len(graph), "not every object has a retained size")
    collected = (graph.flags & TRACKED).astype(np.bool_)
    find_garbage(graph.starts, graph.targets, graph.refcounts, collected)
    return "torn" if counters["torn_pools"] or counters["torn_objects"] else "whole"


def check(good: bool, what: str) -> None:
    if not good:
        raise AssertionError(what)


@contextlib.contextmanager
def victim_of(interpreter: pythons.Interpreter) -> Iterator[Victim]:
    """A program that is stopped, and known."""
    with interpreter.spawn(PROGRAM) as running, opened(running.pid) as target:
        os.kill(running.pid, signal.SIGSTOP)
        assert target.python is not None, f"{interpreter.name}: {target}"
        with open_for_graph(target.process, target.python) as heap:
            graph = build_graph(heap)
            arenas = [(one.address, one.size) for one in heap.arenas]
        with Path(f"/proc/{running.pid}/maps").open() as maps:
            regions = list(writable(maps.read()))
        memory = os.open(f"/proc/{running.pid}/mem", os.O_RDWR)
        try:
            yield Victim(interpreter.name, running.pid, target, graph, arenas, regions, memory)
        finally:
            os.close(memory)


def writable(maps: str) -> Iterator[tuple[int, int]]:
    """Private writable memory, but for the stacks."""
    for line in maps.splitlines():
        fields = line.split()
        if fields[1] == "rw-p" and "[stack" not in line:
            start, end = (int(part, 16) for part in fields[0].split("-"))
            yield start, end - start


def resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def attempt(victim: Victim, seed: int, number: int) -> str:
    """Damage it, look at it, mend it; what came of it in a word."""
    chance = random.Random(f"{seed}/{number}")
    _heap.memory_in_use(True)
    before_kb = resident_kb()
    # A walk without end holds no lock, but does not come back either: this ends the process, and says where.
    faulthandler.dump_traceback_later(ENDLESS_S, exit=True)
    try:
        for _ in range(chance.choice((1, 1, 3))):
            chance.choice(DAMAGE)(chance, victim)
        outcome = look(victim)
        check(_heap.memory_in_use(False)[1] < LARGEST_ARRAYS, "arrays without bound")
        check(resident_kb() - before_kb < LARGEST_GROWTH_KB, "memory without bound")
    except MemprobeError as error:
        return type(error).__name__ if error.exit_code != MemprobeError.exit_code else f"FAILED {error!r}"
    except Exception:  # noqa: BLE001 (that is what is looked for)
        return f"FAILED {traceback.format_exc()}"
    finally:
        faulthandler.cancel_dump_traceback_later()
        victim.mend()
    return outcome


@contextlib.contextmanager
def address_space_limited() -> Iterator[None]:
    """Have allocations without bound fail within the block; afterwards the old limit holds."""
    if "MEMPROBE_SANITIZED" in os.environ:  # whose shadow takes terabytes of address space
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (LARGEST_SPACE, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def main(seconds: float, seed: int, first: int = 0, count: int = 1 << 62) -> int:
    """Run for about so long; print what came out; 1 if anything but an error of memprobe did."""
    outcomes, slowest_s, number, end = Counter[str](), 0.0, first, time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        stack.enter_context(address_space_limited())
        victims = [stack.enter_context(victim_of(one)) for one in pythons.INTERPRETERS]
        while time.monotonic() < end and number < first + count:
            victim, start = victims[number % len(victims)], time.monotonic()
            outcome = attempt(victim, seed, number)
            taken_s = time.monotonic() - start
            slowest_s = max(slowest_s, taken_s)
            outcomes[outcome] += 1
            if outcome.startswith("FAILED") or taken_s > SLOWEST_S:
                print(f"{victim.name} after {taken_s:.1f} s: {outcome}")
                print(f"again: fuzz_heap.py only:{number} {seed} with MEMPROBE_PYTHONS as it was")
                return 1
            number += 1
    kinds = ", ".join(f"{kind} {count}" for kind, count in outcomes.most_common())
    print(f"{number - first} heaps, seed {seed}; slowest {slowest_s:.2f} s; {kinds}")
    return 0


if __name__ == "__main__":
    limit, seed_given = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    if limit.startswith("only:"):
        sys.exit(main(3600, seed_given, int(limit.removeprefix("only:")), 1))
    sys.exit(main(float(limit), seed_given))
