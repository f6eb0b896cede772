"""Holders, as people ask for them: the path to an object, and who holds all objects of a type."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memprobe.heap.arrays import places_of
from memprobe.heap.dominators import NO_NODE
from memprobe.heap.holding import Holding
from memprobe.heap.homes import Homes
from memprobe.heap.members import Members
from memprobe.heap.naming import Namer, Path
from memprobe.heap.references import Place, Role
from memprobe.heap.roots import Root, Tier
from memprobe.heap.static_memory import static_words
from memprobe.target.cpython.python import Python
from memprobe.target.proc.mappings import Mapping

NATIVE = "<native code>"
"""The root of what is held by references that nothing explains."""

GARBAGE = "<nothing>"
"""Stands for the holder of what waits for the collector."""

OTHERS = "<others>"
"""Stands for more holders than are worth telling apart."""

MAXIMUM_GROUPS = 64
"""So many holders of one type are told apart; what they hold of it is 1 in 64 at least."""

_ORDINARY = {
    "str",
    "bytes",
    "int",
    "float",
    "type",
    "code",
    "method_descriptor",
    "getset_descriptor",
    "builtin_function_or_method",
    "module",
    "functools._lru_list_elem",
}
_CLIMBS = 12
_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Holder:
    """One holder of many objects."""

    path: str
    """Of all of them: app.cache.SESSIONS[…].user; app.state.* if they have names of their own there."""

    node: int
    """The holder itself: the container, or the object that is alone; NO_NODE for GARBAGE and OTHERS."""

    objects: int
    """How many of the objects it holds."""

    retained_bytes: int
    """What would be free if those went."""


@dataclass(frozen=True, slots=True)
class Unexplained:
    """Objects of one type with references that nothing known has."""

    type_address: int
    objects: int
    references: int
    """How many there are without an explanation."""

    unheld: int
    """How many of the objects nothing else holds: if C does not need them, they are lost."""

    retained_bytes: int
    """What would be free without those."""

    example: int
    """The number of the object that has most."""

    path: str
    """How that one is held."""


class Holders:
    """Names who holds what in one graph."""

    def __init__(
        self, python: Python, holding: Holding, members: Members, mappings: Sequence[Mapping] = ()
    ) -> None:
        self.holding = holding
        self.members = members
        self.graph = holding.graph
        self._memory = python.objects.memory
        self._namer = Namer(members, Homes(python.objects, members, holding.roots.values()))
        self._mappings = mappings
        self._libraries: dict[int, str] | None = None

    def path(self, address: int) -> Path | None:
        """Return how the object at an address is held; None if it is no object, or garbage."""
        node = self.graph.node(address)
        return None if node is None else self.path_to(node)

    def path_to(self, node: int) -> Path | None:
        """Return how an object is held; None if nothing holds it."""
        way = self.holding.way(node)
        if not way:
            return None
        return self._namer.path(self._root(way[0]), [int(self.graph.addresses[step]) for step in way])

    def of_objects(self, nodes: npt.NDArray[np.integer]) -> list[Holder]:
        """Group objects by who holds them, the holder of most bytes first; every object is in one group."""
        is_held = self.holding.before[nodes] != NO_NODE
        groups: dict[str, list[npt.NDArray[np.integer]]] = {}
        ends: dict[str, int] = {}
        if not is_held.all():
            groups[GARBAGE], ends[GARBAGE] = [nodes[~is_held]], NO_NODE
        for holder, held in self._groups(nodes[is_held]):
            text = OTHERS if holder == NO_NODE else self._path_of_all(holder, held)
            groups.setdefault(text, []).append(held)
            ends.setdefault(text, holder)
        found = [
            Holder(text, ends[text], sum(map(len, parts)), self._bytes(text, np.concatenate(parts)))
            for text, parts in groups.items()
        ]
        return sorted(found, key=lambda holder: (-holder.retained_bytes, -holder.objects, holder.path))

    def _path_of_all(self, holder: int, held: npt.NDArray[np.integer]) -> str:
        """Return one path for all that a holder holds."""
        path = self.path_to(int(held[0]))
        if path is None:
            return OTHERS
        place = next((one for one in path.places if one.address == int(self.graph.addresses[holder])), None)
        above = self.path_to(holder)
        if (
            len(held) > 1
            and holder not in self.holding.roots
            and self.holding.before[holder] == len(self.graph)
        ):
            return self._root(holder).title
        if len(held) == 1 or place is None or place.role is not Role.NAMESPACE or above is None:
            return generalised(path.text)
        return f"{above.text.removesuffix('.__dict__')}.*"

    def _bytes(self, text: str, nodes: npt.NDArray[np.integer]) -> int:
        """Return what would be free without some objects; of garbage what it takes."""
        if text == GARBAGE:
            return int(self.graph.sizes[nodes].sum(dtype=np.uint64))
        return self.holding.retained_by(nodes.astype(np.uint32))

    def of_type(self, type_address: int) -> list[Holder]:
        """Group all objects of a type by who holds them."""
        return self.of_objects(self.graph.of_type(type_address))

    def unexplained(self, least: int = 1) -> list[Unexplained]:
        """Return what has references that nothing explains, by type, those with most first.

        A C extension that forgot a decref leaves such objects behind. Left out are types of which the
        interpreter itself keeps some in places that are not searched, and what static memory refers to.
        """
        graph, extra = self.graph, self.holding.unexplained
        ordinary = [self.members.type_name(int(kind)) in _ORDINARY for kind in graph.type_addresses]
        nodes = places_of(extra >= least)
        nodes = nodes[~np.array(ordinary, np.bool_)[graph.types[nodes]]]
        static = np.array(list(self._static()), np.uint64)
        nodes = nodes[~np.isin(graph.addresses[nodes], static)]
        found = [
            self._unexplained_of(nodes[graph.types[nodes] == kind]) for kind in np.unique(graph.types[nodes])
        ]
        return sorted(found, key=lambda one: (-one.references, -one.objects, one.type_address))

    def _unexplained_of(self, nodes: npt.NDArray[np.integer]) -> Unexplained:
        extra = self.holding.unexplained[nodes]
        unheld = nodes[np.isin(nodes, self.holding.native)]
        example = int(nodes[np.argmax(extra)])
        path = self.path_to(example)
        return Unexplained(
            type_address=self.graph.type_address(example),
            objects=len(nodes),
            references=int(extra.sum()),
            unheld=len(unheld),
            retained_bytes=self.holding.retained_by(unheld.astype(np.uint32)),
            example=example,
            path="" if path is None else path.text,
        )

    def _groups(self, nodes: npt.NDArray[np.integer]) -> Iterator[tuple[int, npt.NDArray[np.integer]]]:
        """Yield holders and what they hold: climb from the objects until few holders hold many."""
        before, end = self.holding.before, len(self.graph)
        least = max(2, len(nodes) // MAXIMUM_GROUPS)
        above = nodes.astype(np.int64)
        for _ in range(_CLIMBS):
            if not len(nodes):
                return
            following = before[above].astype(np.int64)
            above = np.where(following == end, above, following)
            holders, which, counts = np.unique(above, return_inverse=True, return_counts=True)
            many = counts >= least
            for index in np.flatnonzero(many):
                yield int(holders[index]), nodes[which == index]
            nodes, above = nodes[~many[which]], above[~many[which]]
        lost = np.isin(above, self.holding.native)
        if lost.any():
            # Each is its own root: together they tell more.
            yield int(above[lost][0]), nodes[lost]
            nodes, above = nodes[~lost], above[~lost]
        first = np.unique(above)[:MAXIMUM_GROUPS]
        for holder in first:
            yield int(holder), nodes[above == holder]
        others = nodes[~np.isin(above, first)]
        if len(others):
            yield NO_NODE, others

    def _root(self, node: int) -> Root:
        known = self.holding.roots.get(node)
        if known is not None:
            return known
        address = int(self.graph.addresses[node])
        library = self._static().get(address)
        title = NATIVE if library is None else f"<static memory of {library}>"
        return Root(title, Place(address), Tier.NATIVE)

    def _static(self) -> dict[int, str]:
        """Return which binary's static memory has the address of an object that native code holds."""
        if self._libraries is None:
            extra = self.holding.unexplained > 0
            wanted = self.graph.addresses[extra]
            self._libraries = {}
            for name, _, words in static_words(self._memory, self._mappings):
                for address in np.intersect1d(words, wanted):
                    self._libraries.setdefault(int(address), name)
        return self._libraries


def generalised(path: str) -> str:
    """Take the indices out of a path: what is left is the same for all items of a list."""
    return _INDEX.sub("[…]", path)
