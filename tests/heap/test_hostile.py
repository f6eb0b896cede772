"""Heaps that were made to hurt: each walk ends, within its memory, and counts what it left out.

The programs are stopped and never go on. What is random is in tests/fuzz/fuzz_heap.py; here is what was
thought of, and what has to come out exactly.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from fuzz.fuzz_heap import LARGEST_ARRAYS, Victim, resident_kb, victim_of
from memprobe.heap.census import Census, take_census
from memprobe.heap.dominators import NO_NODE, find_dominators, retained_bytes
from memprobe.heap.garbage import explain_counts
from memprobe.heap.graph import HeapGraph, build_graph, build_part, open_for_graph
from memprobe.heap.opening import open_heap
from memprobe.native import _heap
from pythons import Interpreter

pytestmark = pytest.mark.few_interpreters

HUGE = 1 << 62
MOST = 50_000
"""Objects of a part."""
Names = Callable[[int], str]


@pytest.fixture(scope="module")
def stopped(interpreter: Interpreter) -> Iterator[Victim]:
    """A stopped program with objects of many kinds."""
    with victim_of(interpreter) as found:
        yield found


@pytest.fixture
def victim(stopped: Victim) -> Iterator[Victim]:
    """The program, sound before and after each test."""
    yield stopped
    stopped.mend()


@contextmanager
def bounded() -> Iterator[None]:
    """What happens here takes no more memory than a small heap has a right to."""
    before_kb = resident_kb()
    _heap.memory_in_use(True)
    yield
    assert _heap.memory_in_use(False)[1] < LARGEST_ARRAYS
    assert resident_kb() - before_kb < 200_000


def census_of(victim: Victim) -> Census:
    assert victim.target.python is not None
    with bounded(), open_heap(victim.target.process, victim.target.python) as heap:
        return take_census(heap)


def graph_of(victim: Victim) -> HeapGraph:
    assert victim.target.python is not None
    with bounded(), open_for_graph(victim.target.process, victim.target.python) as heap:
        whole = build_graph(heap)
        assert len(build_part(heap, whole.addresses[::50].tolist(), MOST)) <= MOST
        return whole


def objects_of(victim: Victim, name: str) -> list[int]:
    """The addresses of all objects of a type, while the program is sound."""
    assert victim.target.python is not None
    with open_heap(victim.target.process, victim.target.python) as heap:
        kinds = {int(one): heap.types.name(int(one)) for one in victim.graph.type_addresses}
    wanted = next(kind for kind, found in kinds.items() if found == name)
    return [int(victim.graph.addresses[node]) for node in victim.graph.of_type(wanted)]


def test_random_bytes_over_type_pointers_cost_those_objects_and_no_others(victim: Victim) -> None:
    before = census_of(victim)
    damaged = objects_of(victim, "str")[:1000]
    for number, address in enumerate(damaged):
        victim.write(address + 8, struct.pack("<Q", 0x9E3779B97F4A7C15 * (number + 1) & (1 << 64) - 1))
    after = census_of(victim)
    assert before.count - after.count == len(damaged) == 1000
    assert after.counters["torn_pools"] == before.counters["torn_pools"] == 0


def test_a_list_of_free_blocks_that_is_a_ring_tears_its_pool_only(victim: Victim) -> None:
    before = census_of(victim)
    assert victim.target.python is not None
    pool_size = 4096 if victim.target.python.layout.version < (3, 10) else 16384
    pool = int(np.median(victim.graph.addresses[: victim.graph.first_large])) & ~(pool_size - 1)
    victim.write(pool + 8, struct.pack("<Q", pool + 48))
    victim.write(pool + 48, struct.pack("<Q", pool + 48))
    after = census_of(victim)
    assert after.counters["torn_pools"] == 1
    assert after.counters["retried_pools"] >= 1
    assert abs(before.count - after.count) <= pool_size // 16


LENGTHS = (HUGE, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 32)
FIELDS = (("list", 16), ("dict", 16), ("set", 24), ("set", 32), ("tuple", 16))
"""Types, and offsets of their lengths (a set has two)."""


@pytest.mark.parametrize("length", LENGTHS)
def test_lengths_beyond_everything(victim: Victim, length: int) -> None:
    before = graph_of(victim)
    damaged = [(one, field) for name, field in FIELDS for one in objects_of(victim, name)[:50]]
    for address, field in damaged:
        victim.write(address + field, struct.pack("<Q", length))
    census_of(victim)
    after = graph_of(victim)
    assert abs(len(before) - len(after)) <= len(damaged)
    assert len(after.targets) <= len(before.targets) + 100_000


def test_a_deque_whose_blocks_are_a_ring(victim: Victim) -> None:
    before = graph_of(victim)
    for address in objects_of(victim, "collections.deque"):
        block = int.from_bytes(victim.read(address + 24, 8), "little")
        # Its first and its last word are the links; a length that never comes to an end.
        victim.write(block, struct.pack("<Q", block))
        victim.write(block + 8 * 65, struct.pack("<Q", block))
        victim.write(address + 16, struct.pack("<Q", HUGE))
    after = graph_of(victim)
    assert abs(len(before) - len(after)) <= 1


ENDLESS_SLOTS = 1 << 13
"""Of 24 bytes: what fits into the smallest arena."""


def endless_keys(victim: Victim, address: int, size: int) -> None:
    """Make a piece of memory a table of keys with as many empty entries as it has room for."""
    assert victim.target.python is not None
    layout = victim.target.python.layout
    victim.write(address, bytes(size))
    victim.write(address + layout.offset("PyDictKeysObject.dk_nentries"), struct.pack("<Q", ENDLESS_SLOTS))
    if layout.version < (3, 11):
        victim.write(address + layout.offset("PyDictKeysObject.dk_size"), struct.pack("<Q", ENDLESS_SLOTS))
    else:
        victim.write(address + layout.offset("PyDictKeysObject.dk_log2_size"), bytes([13]))
        victim.write(address + layout.offset("PyDictKeysObject.dk_log2_index_bytes"), bytes([14]))


def test_dicts_that_claim_the_same_long_table_do_not_each_have_it_read(victim: Victim) -> None:
    dicts = objects_of(victim, "dict")[:2000]
    start, size = victim.arenas[len(victim.arenas) // 2]
    endless_keys(victim, start, size)
    for address in dicts:
        victim.write(address + 16, struct.pack("<QQQQ", 1, 0, start, 0))
    assert victim.target.python is not None
    with bounded(), open_for_graph(victim.target.process, victim.target.python) as heap:
        graph = build_graph(heap)
        bytes_read = heap.native.counters()["bytes_read"]
    heap_bytes = sum(size for _, size in victim.arenas + victim.regions)
    assert graph.counters["torn_tables"] > len(dicts) // 2
    assert bytes_read < 4 * heap_bytes
    assert len(dicts) * 24 * ENDLESS_SLOTS > 8 * heap_bytes, "or the test shows nothing"


def test_a_chain_of_bases_that_is_a_ring(victim: Victim) -> None:
    assert victim.target.python is not None
    base = victim.target.python.layout.offset("PyTypeObject.tp_base")
    for kind in victim.graph.type_addresses:
        victim.write(int(kind) + base, struct.pack("<Q", int(kind)))
    assert census_of(victim).count > 0
    assert len(graph_of(victim)) > 0


def test_lists_nested_a_hundred_thousand_deep(victim: Victim) -> None:
    graph = graph_of(victim)
    counts = explain_counts(graph.starts, graph.targets, graph.refcounts)
    roots = np.flatnonzero(counts > 0).astype(np.uint32)
    tree = find_dominators(graph.starts, graph.targets, roots)
    depth = np.zeros(len(graph) + 1, np.int64)
    above, order = tree.above.tolist(), tree.order.tolist()
    for node in order:
        depth[node] = depth[above[node]] + 1
    assert depth.max() > 100_000
    deepest = int(depth.argmax())
    chain = retained_bytes(tree, graph.sizes)
    assert above[deepest] != NO_NODE
    assert chain.max() >= 100_000 * 56  # a list with the collector's header


def test_pages_that_are_gone_are_no_error(victim: Victim) -> None:
    """A type pointer to memory that is not mapped, to the kernel's half, and to what is no multiple of 8."""
    damaged = objects_of(victim, "int")[:300]
    for number, address in enumerate(damaged):
        value = (0x1000, 0x7FFF_FFFF_F000, 0xFFFF_FFFF_8000_0000, 0x1003)[number % 4]
        victim.write(address + 8, struct.pack("<Q", value))
    assert census_of(victim).count > 0


def test_a_program_that_dies_is_said_to_have_died(interpreter: Interpreter) -> None:
    with victim_of(interpreter) as found:
        os.kill(found.pid, 9)
        with pytest.raises(Exception) as raised:  # noqa: PT011
            census_of(found)
        assert isinstance(raised.value, (ProcessLookupError, OSError)) or "ended" in str(raised.value)
