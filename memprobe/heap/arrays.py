"""The arrays of the native code as numpy arrays, without a copy; and passes over them in small pieces.

What numpy makes on the way (indices of 64 bits, masks, copies) would be larger than the arrays themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from memprobe.native._heap import BigBuffer

Scalar = TypeVar("Scalar", bound=np.generic)

AT_ONCE = 1 << 17
"""Entries in one piece: what is made of it on the way stays in the cache, and in malloc's small change."""


def view(buffer: BigBuffer, kind: type[Scalar]) -> npt.NDArray[Scalar]:
    """The buffer as a read-only array, which keeps it alive."""
    return np.frombuffer(memoryview(buffer), kind)


def pieces(count: int) -> Iterator[slice]:
    """All of so many entries, piece by piece."""
    for start in range(0, count, AT_ONCE):
        yield slice(start, min(start + AT_ONCE, count))


def looked_up(table: npt.NDArray[Scalar], indices: npt.NDArray[np.integer]) -> npt.NDArray[Scalar]:
    """`table[indices]`, without the indices in 64 bits."""
    found = np.empty(len(indices), table.dtype)
    for part in pieces(len(indices)):
        found[part] = table[indices[part]]
    return found


def places_of(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
    """Where a mask is true, in 32 bits."""
    found = [(np.flatnonzero(mask[part]) + part.start).astype(np.uint32) for part in pieces(len(mask))]
    return np.concatenate(found) if found else np.empty(0, np.uint32)
