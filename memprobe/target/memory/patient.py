"""The memory of a running process for whoever cannot wait for ever."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from memprobe.errors import ReadFault
from memprobe.target.memory.live import LiveMemory
from memprobe.target.patience import GaveUp, Patience

FIRST_LIMIT_S, LIMIT_S = 6.0, 1.0
"""A read may take so long when a run begins, and in its course: nothing else goes on meanwhile."""


class PatientMemory:
    """Reads as another memory does; what takes too long cannot be read, and is counted.

    A buffer that was handed to `read_into` may still be written to after that.
    """

    def __init__(self, inner: LiveMemory, patience: Patience | None = None) -> None:
        self.limit_s = FIRST_LIMIT_S
        """How long a read may take from now on."""
        self.patience = patience or Patience()
        self._inner = inner

    @property
    def pid(self) -> int:
        """The pid that errors name."""
        return self._inner.pid

    @property
    def given_up(self) -> int:
        """Reads that were given up."""
        return self.patience.given_up

    def read(self, address: int, size: int) -> bytes:
        """Return exactly `size` bytes, or raise ReadFault."""
        try:
            return self.patience.call(lambda: self._inner.read(address, size), self.limit_s)
        except GaveUp:
            raise ReadFault(self.pid, address, size, errno.ETIMEDOUT) from None

    def read_many(self, regions: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read many (address, size) regions at once; a region that faults comes back short."""
        try:
            return self.patience.call(lambda: self._inner.read_many(regions), self.limit_s)
        except GaveUp:
            return [b""] * len(regions)

    def read_into(self, regions: Sequence[tuple[int, int]], buffer: memoryview) -> list[int]:
        """Fill `buffer` with the regions back to back; return the bytes that each one got."""
        try:
            return self.patience.call(lambda: self._inner.read_into(regions, buffer), self.limit_s)
        except GaveUp:
            return [0] * len(regions)

    def close(self) -> None:
        """Let go of the process."""
        self.patience.close()
        self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
