"""The most entries that a collection can ever have, if it says so.

deque                          its own maxlen
lru_cache                      its maxsize
queue.Queue, asyncio.Queue,    a number beside the collection, in the same object or module, whose name
cachetools, ...                says that it is a limit: maxsize, max_entries, CACHE_LIMIT beside CACHE
"""

from __future__ import annotations

import re

from memprobe.heap.members import Members
from memprobe.heap.references import Place, Reference
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.objects import UNREADABLE
from memprobe.target.cpython.python import Python

LARGEST = 10_000_000
"""A number above this is no limit that anything will reach."""

MOST_NUMBERS = 500
"""Numbers of one namespace that are looked at."""

_GENERAL = re.compile(
    r"max_?(size|len|length|entries|items|keys|count|elements|objects|conn\w*|pool\w*|workers)$"
    r"|(^|_)(capacity|limit|bound)$",
    re.IGNORECASE,
)
_OWN = re.compile(r"max|limit|capacity|bound", re.IGNORECASE)
_WORD = re.compile(r"[^a-z]")


class Limits:
    """Reads the limits of collections of one target."""

    def __init__(self, python: Python, members: Members) -> None:
        layout = python.layout
        self._objects = python.objects
        self._members = members
        self._deque = Fields(layout, "dequeobject", "maxlen:signed")
        self._known: dict[int, list[Reference]] = {}
        self._lru = Fields(layout, "lru_cache_object", "maxsize:signed")

    def of_deque(self, address: int) -> int | None:
        """Return maxlen; None if there is none."""
        return self._field(self._deque, address)

    def of_lru_cache(self, address: int) -> int | None:
        """Return maxsize; None if there is none."""
        return self._field(self._lru, address)

    def _field(self, field: Fields, address: int) -> int | None:
        try:
            (value,) = field.read(self._objects.memory, address)
        except UNREADABLE:
            return None
        return value if value >= 0 else None

    def beside(self, owner: Place, name: str, length: int, *, general: bool) -> int | None:
        """Return the limit that stands in a namespace beside the collection called `name`.

        `general` says whether names that do not repeat that of the collection count, too: in an object they
        do, in a module they may be about anything.
        """
        found = []
        if owner.address not in self._known:
            self._known[owner.address] = self._members.of(owner)[:MOST_NUMBERS]
        for reference in self._known[owner.address]:
            if self._is_name(reference, name, general=general):
                value = self._number(reference.place.address)
                if value is not None and max(1, length) <= value <= LARGEST:
                    found.append(value)
        return min(found, default=None)

    def _is_name(self, reference: Reference, name: str, *, general: bool) -> bool:
        label = reference.label.rpartition(".")[2]
        stem = _WORD.sub("", name.lower())
        is_own = len(stem) > 2 and stem in _WORD.sub("", label.lower()) and _OWN.search(label) is not None
        return is_own or (general and _GENERAL.search(label) is not None)

    def _number(self, address: int) -> int | None:
        try:
            facts = self._members.type_of(address)
            return self._objects.integer(address) if facts.name == "int" else None
        except UNREADABLE:
            return None
