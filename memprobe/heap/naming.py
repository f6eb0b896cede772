"""Paths as text that a person can type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from memprobe.heap.homes import Homes, Name
from memprobe.heap.members import Members
from memprobe.heap.references import Place, Role
from memprobe.heap.roots import Root, Tier

MAXIMUM_STEPS = 60
"""A path over more objects is told without its middle."""

_HEAD, _TAIL = 20, 11
_NEAR = 3  # objects: a module's namespace, what is in it, and what that has


class Path(NamedTuple):
    """How something is held."""

    text: str
    """app.cache.SESSIONS[…].user"""

    places: tuple[Place, ...]
    """The objects on the way, the root first, the one that is held last."""

    ends: tuple[int, ...] = ()
    """Of each of them how much of the text leads to it."""


class Namer:
    """Puts paths into words."""

    def __init__(self, members: Members, homes: Homes | None = None) -> None:
        self._members = members
        self._homes = homes

    def path(self, root: Root, addresses: Sequence[int]) -> Path:
        """Name the way from a root over the given objects, the root's own one first."""
        if len(addresses) == 1 and root.place.role is Role.NAMESPACE:
            title = f"{root.title}.__dict__"
            return Path(title, (root.place,), (len(title),))
        name, rest = self._begin(root, addresses)
        if len(rest) <= MAXIMUM_STEPS:
            return self._continued(Path(name.text, (name.place,), (len(name.text),)), rest)
        # A linked list of 100,000: nobody reads that, and each step is read from the target.
        begin = Path(name.text, (name.place,), (len(name.text),))
        head = self._continued(begin, rest[:_HEAD], ends=False)
        cut, *tail = rest[-_TAIL:]
        text = f"{head.text} … {len(rest) - _HEAD - len(tail)} objects … "
        return self._continued(Path(text, (*head.places, Place(cut)), (*head.ends, len(text))), tail)

    def _continued(self, path: Path, rest: Sequence[int], *, ends: bool = True) -> Path:
        """Go on from the end of a path over the given objects, which may be where it ends."""
        text, places, lengths = path.text, list(path.places), list(path.ends)
        for index, following in enumerate(rest, 1):
            reference = self._members.reference(places[-1], following)
            is_last = ends and index == len(rest)
            text += (reference.final or reference.label) if is_last else reference.label
            places.append(reference.place)
            lengths.append(len(text))
        return Path(text, tuple(places), tuple(lengths))

    def _begin(self, root: Root, addresses: Sequence[int]) -> tuple[Name, Sequence[int]]:
        """Choose where the words begin: at the root, or at the home of something on the way."""
        name = Name(root.title, root.place, 0)
        if self._homes is None or root.tier is not Tier.MODULE or len(addresses) <= _NEAR:
            return name, addresses[1:]
        known = self._homes.of_class_of(addresses[1])
        steps = 0
        for index, address in enumerate(addresses[1 : _NEAR + 1], 1):
            reference = self._members.reference(name.place, address)
            steps += bool(reference.label)
            name = Name(name.text + reference.label, reference.place, steps)
            home = known.get(address)
            if home is not None and home.steps <= steps and len(home.text) < len(name.text):
                return home, addresses[index + 1 :]
        return Name(root.title, root.place, 0), addresses[1:]
