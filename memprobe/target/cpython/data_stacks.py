"""The data stacks of threads (CPython 3.11 and later): where most frames lie, one behind another.

A data stack is a list of chunks of 16 KiB or more. Only the newest chunk of a thread is in use
up to `datastack_top`; the older ones say themselves how far they are used.
"""

from __future__ import annotations

from collections.abc import Sequence

from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.objects import is_pointer
from memprobe.target.layouts import Layout
from memprobe.vocab import Memory

MAXIMUM_BYTES = 1 << 20
"""Of one thread's data stack as much is read at once: about 7,000 frames."""

_MAXIMUM_CHUNKS = 64
# What the thread may push between the look at its top and the look at its stack.
_SLACK_BYTES = 1024

Region = tuple[int, int]


class DataStacks:
    """Finds the used parts of data stacks."""

    def __init__(self, memory: Memory, layout: Layout) -> None:
        self._memory = memory
        self._thread = Fields(layout, "PyThreadState", "datastack_chunk", "datastack_top")
        self._chunk = Fields(layout, "_PyStackChunk", "previous", "size", "top")
        self._data = layout.offset("_PyStackChunk.data")

    def regions(self, threads: Sequence[int]) -> list[list[Region]]:
        """Return the used parts of each thread's data stack, the newest chunk first."""
        found: list[list[Region]] = [[] for _ in threads]
        tops = self._thread.read_many(self._memory, threads)
        pending = {index: values[0] for index, values in enumerate(tops) if values and is_pointer(values[0])}
        for _ in range(_MAXIMUM_CHUNKS):
            if not pending:
                break
            chunks = self._chunk.read_many(self._memory, list(pending.values()))
            following = {}
            for (index, address), chunk in zip(pending.items(), chunks, strict=True):
                top = tops[index]
                if chunk is None or top is None:
                    continue
                region = self._used(address, chunk, None if found[index] else top[1])
                if self._append(found[index], region) and is_pointer(chunk[0]):
                    following[index] = chunk[0]
            pending = following
        return found

    def _used(self, address: int, chunk: tuple[int, ...], top: int | None) -> Region:
        """Return the used part of a chunk; the newest one is used up to an address."""
        _, size, used_words = chunk
        end = address + self._data + 8 * used_words if top is None else top + _SLACK_BYTES
        start = address + self._data
        return start, min(end, address + size) - start

    def _append(self, regions: list[Region], region: Region) -> bool:
        """Add a region if it makes sense and the thread's share is not used up."""
        if not 0 <= region[1] <= MAXIMUM_BYTES - sum(size for _, size in regions):
            return False
        regions.append(region)
        return True
