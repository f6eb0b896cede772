"""Search the memory of a target for futures and tasks that no registry knows.

Futures are registered nowhere, and from 3.14 on a task that has ended leaves its list. But every
object carries the address of its type: so all present pages of private anonymous memory are looked
through for the words that are the addresses of the types of futures: 850 MB in 0.4 s of CPU.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from memprobe.heap.tasks.registries import Modules
from memprobe.heap.tasks.types import Types
from memprobe.target.cpython.dictionaries import Dictionaries
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer
from memprobe.target.proc.mappings import Mapping as MemoryMapping
from memprobe.target.proc.mappings import read_mappings
from memprobe.target.proc.process import Process
from memprobe.vocab import Memory

LIMIT_S = 10.0
"""A search ends after this time, and says how far it came."""

MAXIMUM_FOUND = 200_000
"""Objects that are looked at; further ones are not."""

MAXIMUM_TYPES = 24
"""Future, Task, and classes derived from them, the nearest first."""

_CHUNK_BYTES = 1 << 20  # what is compared several times should stay in the cache
_PAGES_ASKED = 1 << 18  # about 1 GiB at once
# While a collection runs, links back hold something else: try again a little later.
_ATTEMPTS, _PAUSE_S = 4, 0.002
_FLAGS = 3
_HEAD_BYTES = 16  # PyGC_Head, right before the object in all versions: next, then previous
_PAGE = 4096
_PRESENT = 1 << 63
_STARTS = (("_asyncio", "Future"), ("asyncio.futures", "_PyFuture"), ("asyncio.futures", "Future"))


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has found."""

    addresses: tuple[int, ...]
    """Where an object of one of the types can be: to be checked by who reads it."""

    searched_bytes: int

    complete: bool
    """False if it came to its limit of time or number."""


class FutureTypes:
    """Lists the types of futures of one target: those of asyncio and the classes derived from them."""

    def __init__(self, objects: Objects, dictionaries: Dictionaries, types: Types) -> None:
        layout = objects.layout
        self._objects = objects
        self._dictionaries = dictionaries
        self._types = types
        self._subclasses = layout.offset("PyTypeObject.tp_subclasses")
        self._referent = layout.offset("PyWeakReference.wr_object")

    def read(self, modules: Modules) -> tuple[int, ...]:
        """The addresses of the types, in the order in which they derive from one another."""
        names = (modules.namespace(module).get(name, 0) for module, name in _STARTS)
        found = dict.fromkeys(address for address in names if address)
        pending = list(found)
        while pending and len(found) < MAXIMUM_TYPES:
            derived = [one for one in self._derived(pending.pop(0)) if one not in found]
            found.update(dict.fromkeys(derived[: MAXIMUM_TYPES - len(found)]))
            pending += derived
        return tuple(found)

    def _derived(self, kind: int) -> list[int]:
        """The classes that derive from one: weak references to them are in a dict of the class."""
        try:
            known = self._objects.pointer(kind + self._subclasses)
            items = self._dictionaries.items(known) if known else []
        except UNREADABLE:
            return []
        blocks = self._objects.memory.read_many([(value + self._referent, 8) for _, value in items])
        classes = [int.from_bytes(block, "little") for block in blocks]
        types = self._types.of_many(classes)
        return [one for one in classes if is_pointer(one) and self._types.is_a(types.get(one, 0), "type")]


class Search:
    """Looks through the memory of one process."""

    def __init__(self, process: Process, memory: Memory) -> None:
        self._process = process
        self._memory = memory

    def instances(self, kinds: Sequence[int], type_offset: int) -> Found:
        """Find where objects of some types can be."""
        import numpy as np  # half of what starting memprobe may take

        begin = time.monotonic()
        buffer = memoryview(bytearray(_CHUNK_BYTES))
        words = np.frombuffer(buffer, dtype="<u8")
        hits, more = (np.empty(len(words), dtype=bool) for _ in range(2))
        found: list[int] = []
        searched = 0
        for regions in _chunks(self._present()):
            if time.monotonic() - begin > LIMIT_S or len(found) > MAXIMUM_FOUND:
                return Found(tuple(found[:MAXIMUM_FOUND]), searched, complete=False)
            size = sum(size for _, size in regions)
            if sum(self._memory.read_into(regions, buffer)) < size:
                # What could not be read must not look like what was read before; so it is lost.
                words[:] = 0
                self._memory.read_into(regions, buffer)
            hits[:] = False
            for kind in kinds:
                np.equal(words, kind, out=more)
                np.logical_or(hits, more, out=hits)
            hits[size // 8 :] = False
            if hits.any():
                places = (8 * np.flatnonzero(hits)).tolist()
                found += [place - type_offset for place in _addresses(regions, places)]
            searched += size
        return Found(tuple(found[:MAXIMUM_FOUND]), searched, complete=len(found) <= MAXIMUM_FOUND)

    def tracked(self, addresses: Sequence[int]) -> set[int]:
        """Of some addresses, those where the collector has an object: its neighbour links back to it.

        A frame whose variables are a type and then a loop looks like a future otherwise.
        """
        found: set[int] = set()
        for attempt in range(_ATTEMPTS):
            pending = [address for address in addresses if address not in found]
            if not pending:
                break
            if attempt:
                time.sleep(_PAUSE_S)
            links = self._words([address - _HEAD_BYTES for address in pending])
            back = self._words([(link & ~_FLAGS) + 8 for link in links])
            for address, link, before in zip(pending, links, back, strict=True):
                if is_pointer(link & ~_FLAGS) and before & ~_FLAGS == address - _HEAD_BYTES:
                    found.add(address)
        return found

    def _words(self, addresses: Sequence[int]) -> list[int]:
        blocks = self._memory.read_many([(address, 8) for address in addresses])
        return [int.from_bytes(block, "little") for block in blocks]

    def _present(self) -> Iterator[tuple[int, int]]:
        """The (address, size) of all runs of present pages in which objects can be."""
        pagemap = self._process.folder.open("pagemap")
        try:
            for mapping in read_mappings(self._process):
                if _can_hold_objects(mapping):
                    yield from _present_runs(pagemap, mapping.start, mapping.end)
        finally:
            os.close(pagemap)


def _can_hold_objects(mapping: MemoryMapping) -> bool:
    private = mapping.permissions.startswith("rw") and mapping.permissions[3] == "p"
    return private and not mapping.inode and mapping.path in ("", "[heap]") and mapping.end <= 1 << 47


def _present_runs(pagemap: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Ask the kernel which pages are there: to read others would make it fetch or make them."""
    import numpy as np

    for first in range(start, end, _PAGE * _PAGES_ASKED):
        count = min(_PAGES_ASKED, (end - first) // _PAGE)
        entries = np.frombuffer(os.pread(pagemap, 8 * count, first // _PAGE * 8), dtype="<u8")
        present = np.concatenate(([False], (entries & np.uint64(_PRESENT)) != 0, [False]))
        edges = np.flatnonzero(present[1:] != present[:-1]).tolist()
        for begin, after in zip(edges[::2], edges[1::2], strict=True):
            yield first + begin * _PAGE, (after - begin) * _PAGE


def _chunks(runs: Iterator[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Cut runs of pages into lists that fit into the buffer."""
    chunk: list[tuple[int, int]] = []
    left = _CHUNK_BYTES
    for address, size in runs:
        while size:
            part = min(size, left)
            chunk.append((address, part))
            address, size, left = address + part, size - part, left - part
            if not left:
                yield chunk
                chunk, left = [], _CHUNK_BYTES
    if chunk:
        yield chunk


def _addresses(regions: Sequence[tuple[int, int]], places: Sequence[int]) -> Iterator[int]:
    """Turn ascending places in the buffer back into addresses."""
    index, start = 0, 0
    for place in places:
        while place >= start + regions[index][1]:
            start += regions[index][1]
            index += 1
        yield regions[index][0] + place - start
