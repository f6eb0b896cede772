"""What of a file could not be read: a part that is damaged is left out, and named."""

from __future__ import annotations

import sqlite3
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeVar

BROKEN = (sqlite3.Error, ValueError, TypeError, ArithmeticError, RecursionError, LookupError, struct.error)
"""Whatever the bytes of a damaged or hostile file may cause."""

_Found = TypeVar("_Found")

_NAMES = {
    "facts": "what was noted about the run",
    "layouts": "the layout of the tables",
    "dictionaries": "what the blobs of a table have in common",
    "openings": "where a reader may begin",
    "batches": "the list of batches",
    "batch": "whole batches",
    "costs": "what memprobe cost",
    "stacks": "stacks of new places",
    "pictures": "pictures of open descriptors",
    "samples": "samples of /proc",
    "losses": "losses",
    "invisible": "what could not be seen",
    "paths": "paths of births",
}


class Damage:
    """Counts what is lost by the part of the file that it was in."""

    def __init__(self) -> None:
        self._lost: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many parts were lost."""
        return self._lost.total()

    def add(self, part: str) -> None:
        """Note a loss."""
        self._lost[part] += 1

    def guarded(self, part: str, read: Callable[[], _Found], otherwise: _Found) -> _Found:
        """Read a part; if it is damaged, note that and return what stands for it."""
        try:
            return read()
        except BROKEN:
            self.add(part)
            return otherwise

    def each(self, part: str, found: Iterator[_Found]) -> Iterator[_Found]:
        """Yield rows as long as they can be read."""
        try:
            yield from found
        except BROKEN:
            self.add(part)

    def sentence(self) -> str:
        """Say what is lost; "" if nothing is."""
        if not self._lost:
            return ""
        told = ", ".join(f"{_NAMES.get(part, part)} ({count})" for part, count in sorted(self._lost.items()))
        return f"The recording is damaged, and this report is of what is intact; lost: {told}."
