"""Where an object is at home: the module of its class may have a better name for it.

`asyncio.base_events.logger.manager` and `logging.Logger.manager` are the same. The first is found first, as
the second has one object more on its way; but everybody knows the second.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from memprobe.heap.members import Members
from memprobe.heap.references import Place, Role
from memprobe.heap.roots import Root
from memprobe.target.cpython.objects import UNREADABLE, Objects

_STEPS = 2
_CONTAINERS = {
    *("dict", "list", "tuple", "set", "frozenset", "collections.deque", "str", "int", "function"),
    "functools._lru_cache_wrapper",
}
_MAXIMUM_OBJECTS = 5_000


class Name(NamedTuple):
    """What an object is called at home."""

    text: str
    place: Place
    steps: int
    """How many names and indices the text has behind that of the module."""


class Homes:
    """Looks up objects in modules, a few steps deep."""

    def __init__(self, objects: Objects, members: Members, roots: Iterable[Root]) -> None:
        self._objects = objects
        self._members = members
        self._modules = {root.title: root for root in roots if root.place.role is Role.NAMESPACE}
        self._known: dict[str, dict[int, Name]] = {}

    def of_class_of(self, address: int) -> dict[int, Name]:
        """Return the names of what is near in the module of an object's class."""
        try:
            facts = self._members.type_of(address)
            module = self._module_of(facts.address) if facts.is_python_class else ""
        except UNREADABLE:
            return {}
        if module not in self._known:
            self._known[module] = self._look(module)
        return self._known[module]

    def _module_of(self, class_address: int) -> str:
        for reference in self._members.of(Place(class_address)):
            if reference.final == ".__dict__":
                for item in self._members.of(reference.place):
                    if item.label == ".__module__":
                        return self._objects.string(item.place.address)
        return ""

    def _look(self, module: str) -> dict[int, Name]:
        """Search a module breadth first; what goes without saying is no step."""
        root = self._modules.get(module)
        found: dict[int, Name] = {}
        if root is None:
            return found
        level = [Name(root.title, root.place, 0)]
        while level and len(found) < _MAXIMUM_OBJECTS:
            following = []
            for name in level:
                # What has the most steps already has only its own namespace without one more.
                if len(found) >= _MAXIMUM_OBJECTS or name.steps >= _STEPS or self._is_container(name.place):
                    continue
                for label, place, *_ in self._members.of(name.place):
                    steps = name.steps + bool(label)
                    if place.address not in found and steps <= _STEPS and not label.startswith(".__"):
                        following.append(Name(name.text + label, place, steps))
                        found[place.address] = following[-1]
            level = following
        return found

    def _is_container(self, place: Place) -> bool:
        """Say whether what is inside has no names."""
        if place.role is Role.NAMESPACE:
            return False
        try:
            return self._members.type_of(place.address).name in _CONTAINERS
        except UNREADABLE:
            return True
