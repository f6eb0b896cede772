"""The walk over the heap of another process.

This stub is the home of its documentation; the sources are `src/heap_*.c`.
"""

from collections.abc import Callable

from typing_extensions import Buffer

class Heap:
    """One process whose heap is looked at, for the time of one snapshot.

    Nothing that the process says is believed; a walk ends, whatever is there. The GIL is released,
    but for calls of `describe` and `progress`; one method runs at a time (else
    ValueError). What is raised when the process ends or calls exec is the OSError of `read_regions`.
    """

    def __init__(
        self,
        pid: int,
        pidfd: int,
        mem_fd: int,
        pagemap_fd: int,
        plan: dict[str, int],
        arenas: Buffer,
        regions: Buffer,
        describe: Callable[[int], bytes | None],
    ) -> None:
        """Take the process. The descriptors must stay open.

        `pagemap_fd` may be -1: then absent pages are read, too.

        `plan` has the entries of heap_plan.h; `arenas` pairs of 64-bit (address, size), `regions` triples
        of (address, size, 1 if it may be a stack): whole pages, in order of address. `describe` is called
        with the address of each type once, and answers a struct heap_type_record with its members, or None.
        ValueError says what does not fit.
        """

    def census(self, progress: Callable[[int, int], object] | None = None) -> tuple[bytes, int]:
        """Walk all objects; return six 64-bit numbers per type, and the bytes of tables in pools.

        A row has objects, those that the collector watches, those of torn pools, those outside the arenas,
        bytes as sys.getsizeof counts them, bytes that the allocators took. Rows are in the order of `types`.
        `progress` is called now and then with the bytes walked and those in all.
        """

    def objects_of(self, type_address: int, limit: int, /) -> bytes:
        """Walk until so many objects of a type were met; return their addresses, 64 bits each."""

    def frozen(self, head: int, /) -> tuple[bytes, bool]:
        """Follow the list of frozen objects; return 64-bit counts per type index, and whether it closed."""

    def pool_headers(self, step: int, /) -> bytes:
        """Read the header of every `step`-th pool.

        Returns (u64 address, u32 blocks in use, u32 size class) of those that are used.
        """

    def sample(self, pools: Buffer, pieces: Buffer, /) -> tuple[bytes, bytes]:
        """Count the objects of some pools (u64 addresses) and pieces (u64 start, stop, end, kind).

        Returns keys (u32 number of the pool or, behind those, of the piece; u32 index of the type) and for
        each key a row as `census` has them. `counters` then tells of this walk.
        """

    def changes(self) -> bytes:
        """Return two 64-bit numbers per type index, of the last census.

        Objects in pools that were looked at again when the walk was over, and those that had come or gone.
        """

    def types(self) -> bytes:
        """Return the addresses of the types that were met so far, 64 bits each, by index."""

    def counters(self) -> dict[str, int]:
        """Return what the last walk met: the names and their meanings are in heap_walk.h."""

    def find_type(self, address: int, /) -> int:
        """Return the index of the type at an address, asking `describe` if it is new; -1 if none is there."""
