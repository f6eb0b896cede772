"""The arenas of Python's own allocator, in which it keeps all small objects.

Where the array that lists them is:

    3.8 - 3.11   static variables of obmalloc.c: by their local symbols, else by what they look like
    3.12         in each interpreter
    3.13 -       behind a pointer in each interpreter, which several can share
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from memprobe.target.binary.runtime import RuntimeLocation
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.interpreters import Interpreter
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer
from memprobe.target.proc.mappings import Mapping as MemoryMapping

MAXIMUM_ARENAS = 1 << 18
"""256 GiB in arenas of 1 MiB."""

_ARENA_SIZES = (1 << 18, 1 << 20, 1 << 21)
_MAXIMUM_STATIC_BYTES = 16 << 20
_CHUNK_ENTRIES = 4096

_NO_ARENA = "Python's own allocator has no arena: PYTHONMALLOC=malloc, or built without it"
_NOT_FOUND = (
    "the arenas of Python's own allocator were not found: either it is not used (PYTHONMALLOC=malloc), "
    "or the binary is stripped and they look otherwise than expected"
)
_NOT_READABLE = "the arenas of Python's own allocator could not be read"


@dataclass(frozen=True, slots=True)
class Arenas:
    """How much memory Python's own allocator holds."""

    count: int | None
    """Arenas; None if there are none, see reason."""

    size_bytes: int | None
    """What they take."""

    free_bytes: int | None
    """Whole pools in them that hold no object; free blocks in used pools are not counted."""

    reason: str
    """Why the numbers are None; empty if they are not."""


class Arena(NamedTuple):
    """One arena."""

    address: int
    size: int
    free: int
    """Bytes of whole pools that hold no object."""


class ArenasReader:
    """Finds and counts the arenas of one runtime."""

    def __init__(
        self,
        objects: Objects,
        runtime: RuntimeLocation,
        mappings: Sequence[MemoryMapping],
        symbols: Mapping[str, int],
    ) -> None:
        layout = objects.layout
        self._memory = objects.memory
        self._runtime = runtime
        self._know(mappings)
        self._symbols = symbols
        self._static = layout.version <= (3, 11)
        self._pool_size = layout.constant("POOL_SIZE")
        self._first_entries = layout.constant("INITIAL_ARENA_OBJECTS")
        self._size = layout.size("arena_object")
        self._arena = Fields(layout, "arena_object", "address", "pool_address", "nfreepools", "ntotalpools")
        if not self._static:
            self._obmalloc = layout.offset("PyInterpreterState.obmalloc")
            self._indirect = layout.version >= (3, 13)
            self._management = layout.offset("_obmalloc_state.mgmt")
            self._array = Fields(layout, "_obmalloc_mgmt", "arenas", "maxarenas")

    def read(
        self, interpreters: Sequence[Interpreter], mappings: Sequence[MemoryMapping] | None = None
    ) -> Arenas:
        """Count the arenas of all interpreters; an arena outside the mappings is not believed."""
        try:
            arenas = self.locate(interpreters, mappings)
        except UNREADABLE:
            return Arenas(None, None, None, _NOT_READABLE)
        if not arenas:
            return Arenas(None, None, None, self.absence)
        size, free = sum(arena.size for arena in arenas), sum(arena.free for arena in arenas)
        return Arenas(len(arenas), size, free, "")

    @property
    def absence(self) -> str:
        """Why there is no arena, if none was found."""
        return _NOT_FOUND if self._static else _NO_ARENA

    def locate(
        self, interpreters: Sequence[Interpreter], mappings: Sequence[MemoryMapping] | None = None
    ) -> list[Arena]:
        """List the arenas of all interpreters; raises one of UNREADABLE.

        `mappings` replaces those that were given at first: new arenas lie in new mappings.
        """
        if mappings is not None:
            self._know(mappings)
        arrays = self._static_arrays() if self._static else self._arrays(interpreters)
        every = (arena for address, limit in arrays for arena in self._arenas(address, limit))
        return list(islice(every, MAXIMUM_ARENAS))

    def _know(self, mappings: Sequence[MemoryMapping]) -> None:
        self._mappings = mappings
        self._starts = [mapping.start for mapping in mappings]

    def _arrays(self, interpreters: Iterable[Interpreter]) -> list[tuple[int, int]]:
        """Return the arrays of arena objects of the interpreters, each once."""
        states = [interpreter.address + self._obmalloc for interpreter in interpreters]
        if self._indirect:
            states = [int.from_bytes(self._memory.read(state, 8), "little") for state in states]
        distinct = (state for state in dict.fromkeys(states) if is_pointer(state))
        arrays = (self._array.read(self._memory, state + self._management) for state in distinct)
        return [(address, count) for address, count in arrays if address]

    def _static_arrays(self) -> list[tuple[int, int]]:
        """Return the one array of 3.8 to 3.11."""
        if "arenas" in self._symbols:
            address = int.from_bytes(self._memory.read(self._symbols["arenas"], 8), "little")
        else:
            address = self._search()
        return [(address, MAXIMUM_ARENAS)] if address else []

    def _arenas(self, address: int, limit: int) -> Iterator[Arena]:
        """Yield the allocated arenas of an array, up to its end or to what cannot be one."""
        seen: set[int] = set()
        for start in range(0, min(limit, MAXIMUM_ARENAS), _CHUNK_ENTRIES):
            entries = min(_CHUNK_ENTRIES, limit - start)
            (block,) = self._memory.read_many([(address + start * self._size, entries * self._size)])
            for offset in range(0, len(block) - self._size + 1, self._size):
                values = self._arena.unpack(block, offset)
                if not values[0]:
                    continue  # a slot that is not in use
                arena = self._checked(*values)
                if arena is None or values[0] in seen:
                    return
                seen.add(values[0])
                yield arena
            if len(block) < entries * self._size:
                return

    def _checked(self, address: int, pool_address: int, free: int, total: int) -> Arena | None:
        """Return the arena that an entry describes, or None if it cannot be one."""
        # An arena that does not begin at a pool boundary has one pool less.
        size = (total + (address % self._pool_size != 0)) * self._pool_size
        if address % 4096 or size not in _ARENA_SIZES or free > total:
            return None
        if not address <= pool_address <= address + size or not self._is_mapped(address, size):
            return None
        return Arena(address, size, free * self._pool_size)

    def _is_mapped(self, address: int, size: int) -> bool:
        """Say whether an anonymous writable mapping holds a range; yes if no mappings are known."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return not self._mappings
        mapping = self._mappings[index]
        return mapping.is_writable and not mapping.inode and address + size <= mapping.end

    def _search(self) -> int:
        """Find the array of a stripped binary: the lowest pointer in its static data to what looks so."""
        words = set[int]().union(*map(_words, self._static_data()))
        size = self._first_entries * self._size
        pointers = sorted(word for word in words if not word & 15 and self._is_mapped(word, size))
        # Most are ruled out by the first entry alone.
        blocks = self._memory.read_many([(pointer, self._arena.end) for pointer in pointers])
        likely = [pointer for pointer, block in zip(pointers, blocks, strict=True) if self._begins(block)]
        blocks = self._memory.read_many([(pointer, size) for pointer in likely])
        found = zip(likely, blocks, strict=True)
        return next((pointer for pointer, block in found if self._looks_like_array(block)), 0)

    def _begins(self, block: bytes) -> bool:
        """Say whether a block could be the first entry, in use or not."""
        if len(block) < self._arena.end:
            return False
        values = self._arena.unpack(block)
        return not values[0] or self._checked(*values) is not None

    def _looks_like_array(self, block: bytes) -> bool:
        """Say whether a block could be the first entries: all in use or not, and at least one is."""
        if len(block) < self._first_entries * self._size:
            return False
        entries = [self._arena.unpack(block, index * self._size) for index in range(self._first_entries)]
        used = [values for values in entries if values[0]]
        return bool(used) and all(self._checked(*values) for values in used)

    def _static_data(self) -> Iterator[bytes]:
        """Yield the writable data of the binary: its mappings and the one behind them (.bss)."""
        left = _MAXIMUM_STATIC_BYTES
        end = 0
        for mapping in self._mappings:
            own = mapping.path == self._runtime.path
            if mapping.is_writable and (own or (mapping.start == end and not mapping.path)):
                size = min(mapping.size, left)
                left -= size
                yield self._memory.read_many([(mapping.start, size)])[0]
            end = mapping.end if own or mapping.start == end else 0


def _words(block: bytes) -> set[int]:
    """Return the different words of static data, of which most are the same."""
    return set(struct.unpack_from(f"<{len(block) // 8}Q", block))
