"""A heap, opened for one look, as the tests want it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from memprobe.heap.opening import OpenHeap, open_heap
from memprobe.target.inspection.opening import opened


@contextmanager
def looking(pid: int) -> Iterator[OpenHeap]:
    """Hold the heap of a process until the block ends."""
    with opened(pid) as target:
        assert target.python is not None, target.invisible
        with open_heap(target.process, target.python) as heap:
            yield heap
