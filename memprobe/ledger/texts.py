"""What open descriptors point to: all texts in one array of bytes."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from memprobe.ledger.extensions import Codes, extensions

Bytes: TypeAlias = npt.NDArray[np.uint8]
Numbers: TypeAlias = npt.NDArray[np.int64]

FIRST_BYTES = 1 << 16


class Texts:
    """A heap of texts that only grows, until `compact` takes out what nobody refers to.

    A text is a start and a length; copies of an entry share it.
    """

    def __init__(self) -> None:
        self._bytes = np.empty(FIRST_BYTES, np.uint8)
        self.used_bytes = 0

    def add(self, source: Bytes, starts: Numbers, lengths: Numbers) -> Numbers:
        """Copy texts from `source`; return where each starts here."""
        begins = np.cumsum(lengths) - lengths + self.used_bytes
        added = gathered(source, starts, lengths)
        self._reserve(len(added))
        self._bytes[self.used_bytes : self.used_bytes + len(added)] = added
        self.used_bytes += len(added)
        return begins

    def add_strings(self, strings: tuple[str, ...]) -> tuple[Numbers, Numbers]:
        """Add strings; return starts and lengths."""
        encoded = [string.encode("utf-8", "backslashreplace") for string in strings]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        source = np.frombuffer(b"".join(encoded), np.uint8)
        return self.add(source, np.cumsum(lengths) - lengths, lengths), lengths

    def get(self, start: int, length: int) -> str:
        """Return one text; bytes that are no UTF-8 come out as backslash escapes."""
        return self._bytes[start : start + length].tobytes().decode("utf-8", "backslashreplace")

    def extensions(self, starts: Numbers, lengths: Numbers) -> Codes:
        """Return the extensions of texts that are paths."""
        return extensions(self._bytes, starts, lengths)

    def compact(self, starts: Numbers, lengths: Numbers) -> Numbers:
        """Keep only these texts; return their new starts."""
        moved = np.zeros(len(starts), np.int64)
        filled = np.flatnonzero(lengths)
        old, first, place = np.unique(starts[filled], return_index=True, return_inverse=True)
        kept, self._bytes, self.used_bytes = self._bytes, np.empty(FIRST_BYTES, np.uint8), 0
        moved[filled] = self.add(kept, old, lengths[filled][first])[place]
        return moved

    def _reserve(self, more_bytes: int) -> None:
        needed = self.used_bytes + more_bytes
        if needed > len(self._bytes):
            grown = np.empty(max(needed, 2 * len(self._bytes)), np.uint8)
            grown[: self.used_bytes] = self._bytes[: self.used_bytes]
            self._bytes = grown


def gathered(source: Bytes, starts: Numbers, lengths: Numbers) -> Bytes:
    """Return pieces of `source` one after the other, without a step per piece."""
    ends = np.cumsum(lengths)
    if not len(ends) or not ends[-1]:
        return np.empty(0, np.uint8)
    places = np.repeat(starts - (ends - lengths), lengths) + np.arange(ends[-1])
    pieces: Bytes = source[places]
    return pieces
