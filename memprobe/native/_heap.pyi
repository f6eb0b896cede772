"""The C core of the heap: graphs of objects, and the arrays that hold them.

This stub is the home of its documentation; the sources are in `src/`.

A graph of n nodes is `starts`, n + 1 native 64-bit numbers, and `targets`, native 32-bit numbers: the edges
of node i are `targets[starts[i]:starts[i + 1]]`. The two top bits of a target are the strength of the edge
(0 visited by tp_traverse, 1 owned but not visited, 2 weak, 3 guessed). `strengths` is the set of those to
follow, `1 << strength` added up. Arrays that are no graph raise ValueError; MemoryError and OSError (ENOSPC)
say what they always say. The GIL is released meanwhile, so nobody may change the arrays.
"""

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
    """How much all BigBuffers together may have in memory (1 GiB unless told), and where files go beyond."""

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

    `sizes` are 32-bit or 64-bit numbers. A sum beyond 2**64 - 1 stays there.
    """

def dominated(idom: Array, order: Array, tops: Array, /) -> BigBuffer:
    """A byte for each node: 1 for the nodes `tops` (32-bit numbers) and all that they dominate."""

def reach(starts: Array, targets: Array, roots: Array, strengths: int, /) -> tuple[BigBuffer, BigBuffer]:
    """A tree of shortest ways from the roots: the node before each node, and the distance; 32-bit both.

    A root has the distance 0 and n before it; where nothing leads both are 2**32 - 1. Of equally long ways
    the one from the root that comes first in `roots` wins.
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
