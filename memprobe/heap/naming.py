"""Paths as text that a person can type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from memprobe.heap.members import Members, Place, Reference
from memprobe.heap.roots import Root


class Path(NamedTuple):
    """How something is held."""

    text: str
    """app.cache.SESSIONS[…].user"""

    places: tuple[Place, ...]
    """The objects on the way, the root first, the one that is held last."""


class Namer:
    """Puts paths into words."""

    def __init__(self, members: Members) -> None:
        self._members = members

    def path(self, root: Root, addresses: Sequence[int]) -> Path:
        """Name the way from a root over the given objects, the root's own one first."""
        text, place = root.title, root.place
        places = [place]
        for index, following in enumerate(addresses[1:], 2):
            reference = self._reference(place, following)
            last = index == len(addresses)
            text += (reference.final or reference.label) if last else reference.label
            place = reference.place
            places.append(place)
        return Path(text, tuple(places))

    def _reference(self, place: Place, target: int) -> Reference:
        """Return the best name by which one object holds another."""
        best: Reference | None = None
        for reference in self._members.of(place):
            if reference.place.address == target and (best is None or _rank(reference) < _rank(best)):
                best = reference
        return best or Reference(".<?>", Place(target))


def _rank(reference: Reference) -> tuple[bool, bool, int]:
    """Prefer what Python knows by name, then what is shorter."""
    return reference.guessed, "<" in reference.label, len(reference.label)
