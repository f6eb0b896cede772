"""A census of a part of the heap, with intervals: for heaps where reading all would take too long.

The pools are sampled per size class; how many blocks each pool of a class has in use is known of all (their
headers are read), so a type's share of the blocks is what has to be estimated. Memory that malloc gives in
a row is sampled in pieces; what has a mapping of its own is taken exactly.

The intervals are those of Fay and Feuer (1997) for weighted sums of rare events: a type that lives in three
pools is seen in one sampled pool or in none, and no normal distribution tells how many there are then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from memprobe.heap.census import remarks, type_addresses
from memprobe.heap.opening import OpenHeap, regions_outside
from memprobe.heap.strata import Stratum, estimate, interval

MOST_POOLS = 1 << 14
"""Headers that are read, at some 1.5 us each; of more pools only every second, third ... is looked at."""

PIECE_BYTES = 1 << 18
LEAST_UNITS = 16
"""Of each stratum so many are taken, even where the fraction would be less."""

EXACT_BYTES = 1 << 23
"""malloc's memory is sampled where there is more of it than this."""

_HEADER = np.dtype([("address", "<u8"), ("live", "<u4"), ("size_class", "<u4")])
_KEY = np.dtype([("unit", "<u4"), ("type", "<u4")])
_COLUMNS = ("count", "tracked", "unsure", "large", "getsizeof", "allocated")
_ROW = np.dtype([(name, "<u8") for name in _COLUMNS])
_THREAD_HEAP = 1 << 26

Piece = tuple[int, int, int, int]
"""Start, stop, end of the region, kind: see heap_sample.h."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number that was estimated, and between which it lies 95 times in 100."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SampledRow:
    """What is estimated of one type."""

    address: int
    name: str
    count: Estimate
    getsizeof_bytes: Estimate
    allocated_bytes: Estimate
    """Without tables of 64 KiB and more, see SampledCensus."""
    seen: int
    """Objects that were really met."""


@dataclass(frozen=True, slots=True)
class SampledCensus:
    """A heap, estimated from a part of it."""

    rows: tuple[SampledRow, ...]
    """The largest first. A type of few objects may be missing altogether."""

    total_count: Estimate
    pool_bytes: Estimate
    """Blocks in use in Python's arenas, objects or not: exact where all headers were read."""
    large_table_bytes: int
    """Tables (of dicts, lists, sets, of C code) of 64 KiB and more: in no row, since a few can be most of it.

    They are counted where they were met: exactly, if they have mappings of their own.
    """
    fraction: float
    pools: int
    """In use."""
    pools_read: int
    counters: dict[str, int]
    seconds: float
    remarks: tuple[str, ...] = field(default=())


def take_sample(heap: OpenHeap, fraction: float, seed: int | None = None) -> SampledCensus:
    """Estimate the heap from a fraction of its pools."""
    begin = time.perf_counter()
    random = np.random.default_rng(seed)
    headers, step = pool_headers(heap)
    chosen, strata = choose_pools(headers, fraction, step, random)
    exact, sampled, pieces = _choose_pieces(heap, fraction, random)
    units = np.concatenate([exact, sampled])
    keys, rows = read_units(heap, headers["address"][chosen], units)
    strata += [
        Stratum(len(exact), np.arange(len(chosen), len(chosen) + len(exact))),
        Stratum(pieces, np.arange(len(chosen) + len(exact), len(chosen) + len(units))),
    ]
    counters = heap.native.counters()
    found, total = _estimated(heap, strata, keys, rows)
    return SampledCensus(
        rows=found,
        total_count=total,
        pool_bytes=_pool_bytes(heap, headers, step),
        large_table_bytes=counters["big_raw_bytes"],
        fraction=fraction,
        pools=len(headers) * step,
        pools_read=len(chosen),
        counters=counters,
        seconds=time.perf_counter() - begin,
        remarks=tuple(remarks(heap, counters)),
    )


def pool_headers(heap: OpenHeap) -> tuple[NDArray[np.void], int]:
    """Return the headers of the pools in use, and of how many pools each was looked at."""
    pool_size = heap.python.layout.constant("POOL_SIZE")
    pools = sum(arena.size for arena in heap.arenas) // pool_size
    step = max(1, math.ceil(pools / MOST_POOLS))
    return np.frombuffer(heap.native.pool_headers(step), _HEADER), step


def read_units(
    heap: OpenHeap, pools: NDArray[np.uint64], pieces: NDArray[np.uint64]
) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Count the objects in some pools and pieces: a key (unit, type) and a row of numbers for each two."""
    keys, rows = heap.native.sample(pools.astype("<u8").tobytes(), pieces.astype("<u8").tobytes())
    return np.frombuffer(keys, _KEY), np.frombuffer(rows, _ROW)


def _pool_bytes(heap: OpenHeap, headers: NDArray[np.void], step: int) -> Estimate:
    """Add up the blocks in use of all pools, of which every `step`-th was seen."""
    alignment = heap.python.layout.constant("ALIGNMENT")
    each = (headers["size_class"] + 1.0) * alignment * headers["live"]
    return Estimate(*interval(step * each.sum(), step * (step - 1) * (each**2).sum(), 0.0, each.sum()))


def choose_pools(
    headers: NDArray[np.void], fraction: float, step: int, random: np.random.Generator
) -> tuple[NDArray[np.intp], list[Stratum]]:
    """Draw pools of each size class; return them in order of address, and the strata that they make."""
    drawn: list[NDArray[np.intp]] = []
    for size_class in np.unique(headers["size_class"]):
        members = np.flatnonzero(headers["size_class"] == size_class)
        drawn.append(random.choice(members, _sample_size(len(members), fraction * step), replace=False))
    chosen = np.sort(np.concatenate(drawn)) if drawn else np.zeros(0, np.intp)
    strata = []
    for size_class in np.unique(headers["size_class"]):
        live = headers["live"][headers["size_class"] == size_class].astype(float)
        units = np.flatnonzero(headers["size_class"][chosen] == size_class)
        strata.append(
            Stratum(
                len(live) * step, units, headers["live"][chosen[units]].astype(float), live.sum() * step, step
            )
        )
    return chosen, strata


def _sample_size(count: int, fraction: float) -> int:
    return min(count, max(LEAST_UNITS, math.ceil(count * fraction)))


def _choose_pieces(
    heap: OpenHeap, fraction: float, random: np.random.Generator
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], int]:
    """Return the pieces that are read anyway, those drawn, and of how many these were drawn."""
    starts = {mapping.start for mapping in heap.mappings if mapping.path == "[heap]"}
    exact: list[Piece] = []
    long: list[Piece] = []
    for address, size, kind in regions_outside(heap.mappings, heap.arenas):
        in_a_row = address in starts or address % _THREAD_HEAP == 0
        if in_a_row and size > EXACT_BYTES:
            long.extend(_pieces(address, size, kind))
        else:
            exact.append((address, address + size, address + size, kind))
    size = _sample_size(len(long), fraction)
    drawn = random.choice(len(long), size, replace=False).tolist() if long else []
    sampled = [long[index] for index in sorted(drawn)]
    return _array(exact), _array(sampled), len(long)


def _pieces(address: int, size: int, kind: int) -> Iterator[Piece]:
    end = address + size
    for start in range(address, end, PIECE_BYTES):
        yield start, min(start + PIECE_BYTES, end), end, kind


def _array(pieces: Sequence[Piece]) -> NDArray[np.uint64]:
    return np.array(pieces, dtype="<u8").reshape(-1, 4)


def _estimated(
    heap: OpenHeap, strata: Sequence[Stratum], keys: NDArray[np.void], rows: NDArray[np.void]
) -> tuple[tuple[SampledRow, ...], Estimate]:
    """Estimate each type, and how many objects there are in all."""
    addresses = type_addresses(heap)
    columns = {
        name: estimate(strata, keys["unit"], keys["type"], rows[name].astype(float))
        for name in ("count", "getsizeof", "allocated")
    }
    seen = np.bincount(keys["type"], rows["count"].astype(float)) if len(keys) else np.zeros(0)
    found = [
        SampledRow(
            address=addresses[index],
            name=heap.types.name(addresses[index]),
            count=Estimate(*columns["count"][index]),
            getsizeof_bytes=Estimate(*columns["getsizeof"][index]),
            allocated_bytes=Estimate(*columns["allocated"][index]),
            seen=int(seen[index]),
        )
        for index in columns["count"]
    ]
    zeros = np.zeros_like(keys["type"])
    total = estimate(strata, keys["unit"], zeros, rows["count"].astype(float)).get(0, (0.0, 0.0, 0.0))
    found.sort(key=lambda row: (-row.allocated_bytes.value, row.address))
    return tuple(found), Estimate(*total)
