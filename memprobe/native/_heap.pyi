"""The C core of the heap: the walk over that of another process, graphs of objects, their arrays.

This stub is the home of its documentation; the sources are in `src/`.

A graph of n nodes is `starts`, n + 1 native 64-bit numbers, and `targets`, native 32-bit numbers: the edges
of node i are `targets[starts[i]:starts[i + 1]]`. The two top bits of a target are the strength of the edge
(0 visited by tp_traverse, 1 owned but not visited, 2 weak, 3 guessed). `strengths` is the set of those to
follow, `1 << strength` added up. Arrays that are no graph raise ValueError; MemoryError and OSError (ENOSPC)
say what they always say. The GIL is released meanwhile, so nobody may change the arrays.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

# numpy says that its arrays are buffers from Python 3.12 on only.
Array: TypeAlias = Buffer | npt.NDArray[np.generic[Any]]

@final
class BigBuffer(Buffer):
    """A read-only array in memory, or in an unlinked file: `numpy.frombuffer(buffer, dtype)` shows it.

    It is made by functions of this module and gone with its last view.
    """

    def __len__(self) -> int: ...
    @property
    def on_disk(self) -> bool:
        """Whether a file holds it, because the memory limit was reached."""

    def close(self) -> None:
        """Give the memory back now; BufferError while somebody looks at it."""

def set_memory_limit(memory_bytes: int, folder: str, /) -> None:
    """How much all BigBuffers together may have in memory (1 GiB unless told), and where files go beyond.

    From then on malloc gives back at once what is freed of 2 MiB and more.
    """

def memory_in_use(reset: object, /) -> tuple[int, int]:
    """Bytes of all BigBuffers now, and at most since this was last called with something true."""

def dominators(starts: Array, targets: Array, roots: Array, strengths: int, /) -> tuple[BigBuffer, BigBuffer]:
    """Immediate dominators, seen from one root above all `roots`; 32-bit numbers both.

    The first array has for each node its dominator: a node, n for the root above all, 2**32 - 1 where
    nothing leads. The second has the nodes that are reached, each after its dominator. Takes at most
    24 bytes a node and 4 an edge, the results among them.
    """

def retained(idom: Array, order: Array, sizes: Array, /) -> BigBuffer:
    """For each node its size and the sizes of all that it dominates, as 64-bit numbers.

    `sizes` are bytes, 32-bit or 64-bit numbers. A sum beyond 2**64 - 1 stays there.
    """

def sums(above: Array, sizes: Array, /) -> BigBuffer:
    """The same on any forest, in no order: `above` has for each node the one before it, or no node."""

def dominated(idom: Array, order: Array, tops: Array, /) -> BigBuffer:
    """A byte for each node: 1 for the nodes `tops` (32-bit numbers) and all that they dominate."""

def reach(starts: Array, targets: Array, roots: Array, strengths: int, before: Array = ..., /) -> BigBuffer:
    """A tree of shortest ways from the roots: the node before each node, a 32-bit number.

    That is n before a root, and 2**32 - 1 where nothing leads. Of equally long ways the one from the root
    that comes first in `roots` wins. What `before`, such a tree, has reached stays as it is there, and is
    gone on from only where it is a root.
    """

def reverse(starts: Array, targets: Array, /) -> tuple[BigBuffer, BigBuffer]:
    """The same graph with every edge turned round, strengths kept: (starts, targets)."""

def count_references(starts: Array, targets: Array, strengths: int, /) -> BigBuffer:
    """How many edges of these strengths lead to each node, as 32-bit numbers."""

def garbage(
    starts: Array, targets: Array, refcounts: Array, roles: Array, visited: int, owned: int, /
) -> tuple[BigBuffer, int]:
    """What the cyclic collector would do now: a byte for each node, and how many counts make no sense.

    `refcounts` are 32-bit numbers. A role is 1 for what a full collection looks at (tracked, not frozen),
    2 for what has a legacy finalizer (tp_del), 3 for both. `visited` are the strengths that tp_traverse
    sees, `owned` those that count in a refcount.

    The byte is 0 for what is kept; 1 garbage; 2 garbage that is not freed, as a legacy finalizer is or
    holds it; 3 no garbage itself, but only garbage refers to it. The number counts references from
    collected objects to collected objects beyond what the refcount says.
    """

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

    def frozen_objects(self, head: int, /) -> tuple[bytes, bool]:
        """Follow the list of frozen objects; return their 64-bit addresses, and whether it closed."""

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

    def graph(self, progress: Callable[[int, int], object] | None = None) -> dict[str, BigBuffer | int]:
        """Walk all objects and find out who refers to whom; `describe` must give members.

        Arrays with an entry per object, in the order of the walk: `addresses` (64 bits), `types` (index in
        `types()`), `sizes` (allocated bytes, out-of-line tables included, at most 2**32 - 1), `refcounts` (at
        most 2**32 - 1; 32 bits each), `flags` (8 bits: 1 tracked, 2 outside the arenas, 4 immortal, 8 has a
        collector's header, 16 from a pool that would not hold still). `starts` and `targets` are the graph.
        And numbers: `nodes`, `edges`, and what was left out; their meanings are in heap_graph.h.
        """

    def graph_near(self, first: Buffer, most: int, /) -> dict[str, BigBuffer | int]:
        """Find the `most` objects that are nearest to some (u64 addresses), and build the graph of those.

        Of an object that refers to more than 1024 others only the first of those are followed (16 times as
        many of those that it begins with); its flags have 32. The entries are those of `graph`; `levels` says
        up to how many steps from the first objects all is there, `beyond` how many references lead farther.
        `changes` and `counters` stay those of the last walk.
        """
