"""How long the oldest entries of collections have been there, at the least.

When an entry was put in, no collection says. But while its first entry is the same at every look, and nobody
has seen the collection with fewer than before, that one was there all the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class _First:
    """The first entry of one collection, and the length that it had last."""

    address: int
    since_ns: int
    length: int
    time_ns: int

    def has(self, length: int, time_ns: int) -> None:
        """What has become shorter may have been emptied, and filled with the same again."""
        if time_ns >= self.time_ns:
            self.since_ns = time_ns if length < self.length else self.since_ns
            self.length, self.time_ns = length, time_ns


class Ages:
    """The first entries of the collections of one process, by the keys of the collections."""

    def __init__(self) -> None:
        self._firsts: dict[str, _First] = {}

    def looked(self, firsts: Iterable[tuple[str, int | None, int, int]]) -> dict[str, int]:
        """Take in what a look has seen: key, address of the first entry, length, time. Return ages in ns.

        What it does not mention, or has no first entry, is forgotten.
        """
        before, self._firsts = self._firsts, {}
        ages = {}
        for key, address, length, time_ns in firsts:
            if address is not None:
                known = before.get(key)
                if known is None or known.address != address:
                    known = _First(address, time_ns, length, time_ns)
                known.has(length, time_ns)
                self._firsts[key] = known
                ages[key] = time_ns - known.since_ns
        return {key: age_ns for key, age_ns in ages.items() if age_ns > 0}

    def has_length(self, key: str, length: int, time_ns: int) -> None:
        """Take in a length that was read between two looks."""
        if key in self._firsts:
            self._firsts[key].has(length, time_ns)
