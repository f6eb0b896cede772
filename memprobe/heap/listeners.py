"""Registries: collections of callables, in which somebody has asked to be told of something.

A collection is one if most of what it refers to can be called: functions, bound methods, partials, or
weak references to such things (weakref.WeakMethod, or a WeakSet of them). Namespaces are none: a class is a
dict of functions, too. Lists, sets and tuples of callables that one dict holds are one registry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from memprobe.heap.dominators import NO_NODE
from memprobe.heap.graph import NODE_MASK, STRENGTH_SHIFT, HeapGraph
from memprobe.heap.holders import Holders, generalised
from memprobe.heap.members import Role
from memprobe.heap.shapes import Strength

LEAST_CALLABLES = 2
"""A collection with fewer is not a registry worth a line."""

_SHARE = 0.8
_COLLECTIONS = {"list", "set", "frozenset", "collections.deque", "dict", "tuple"}
_INNER = {"list", "set", "frozenset", "collections.deque", "tuple"}
_KINDS = {
    "function": "functions",
    "method": "bound methods",
    "builtin_function_or_method": "builtin functions",
    "functools.partial": "partials",
    "functools._lru_cache_wrapper": "functions",
}
_WEAK = {"weakref", "weakref.ReferenceType"}


@dataclass(frozen=True, slots=True)
class Registry:
    """One collection of callables."""

    path: str
    node: int
    type: str
    length: int
    """How many callables are in it, in all its lists."""

    kinds: dict[str, int]
    """How many are bound methods, functions, closures, partials, weak references."""


class Listeners:
    """Finds the registries in one graph."""

    def __init__(self, holders: Holders) -> None:
        self._graph = holders.graph
        self._holding = holders.holding
        self._holders = holders
        self._kinds = [holders.members.base_name(int(address)) for address in self._graph.type_addresses]

    def find(self, most: int = 50) -> list[Registry]:
        """Return the registries, the one with most callables first."""
        callable_kind = self._callable_kinds()
        inner = self._registries(callable_kind, self._of_kinds(_INNER))
        owners = self._grouped(inner)
        direct = self._registries(callable_kind, self._of_kinds({"dict"}) & ~self._namespaces())
        nodes = {int(node): [int(node)] for node in np.flatnonzero(direct)}
        for owner, parts in owners.items():
            nodes.setdefault(owner, []).extend(part for part in parts if part != owner)
        found = [self._registry(owner, parts, callable_kind) for owner, parts in nodes.items()]
        found = [one for one in found if one.length >= LEAST_CALLABLES]
        named: list[Registry] = []
        for one in sorted(found, key=lambda one: (-one.length, one.node)):
            path = self._holders.path_to(one.node)
            # The dict of an instance is a namespace, whatever its attributes are.
            if path is not None and path.places[-1].role is not Role.NAMESPACE:
                named.append(replace(one, path=generalised(path.text)))
            if len(named) == most:
                break
        return named

    def _callable_kinds(self) -> npt.NDArray[np.bool_]:
        """Say of each object whether it can be called, as far as the kinds above go, or stands for such."""
        by_type = np.array([kind in _KINDS for kind in self._kinds], np.bool_)
        found = by_type[self._graph.types]
        weak_types = np.array([kind in _WEAK for kind in self._kinds], np.bool_)
        weak = np.flatnonzero(weak_types[self._graph.types])
        for node in weak:
            if self._stands_for_callable(int(node), found):
                found[node] = True
        return found

    def _stands_for_callable(self, node: int, callables: npt.NDArray[np.bool_]) -> bool:
        """Say whether a weak reference is one to something that can be called, or a WeakMethod."""
        graph = self._graph
        if self._holders.members.shapes.facts(graph.type_address(node)).name == "WeakMethod":
            return True
        return bool(callables[graph.referents(node, 1 << Strength.WEAK)].any())

    def _of_kinds(self, names: set[str]) -> npt.NDArray[np.bool_]:
        by_type = np.array([kind in names for kind in self._kinds], np.bool_)
        return by_type[self._graph.types]

    def _registries(
        self, callables: npt.NDArray[np.bool_], candidates: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """Say which of some collections refer mostly to callables."""
        graph = self._graph
        targets = graph.targets & np.uint32(NODE_MASK)
        # The keys of a dict of str are owned, but not visited: they do not count as its content.
        content = graph.targets >> STRENGTH_SHIFT == Strength.VISITED
        called = _sums(callables[targets] & content, graph)
        everything = _sums(content, graph)
        return candidates & (called >= 1) & (called >= _SHARE * everything)

    def _namespaces(self) -> npt.NDArray[np.bool_]:
        """Say which dicts are those of modules, classes and functions; instances are asked one by one."""
        graph = self._graph
        found = np.zeros(len(graph), np.bool_)
        found[list(self._holding.roots)] = True
        sources = self._of_kinds({"type", "function"})
        lengths = graph.starts[1:].astype(np.int64) - graph.starts[:-1].astype(np.int64)
        edges = np.repeat(sources, lengths)
        found[graph.targets[edges] & np.uint32(NODE_MASK)] = True
        return found

    def _grouped(self, inner: npt.NDArray[np.bool_]) -> dict[int, list[int]]:
        """Group collections of callables by the dict that holds them, those alone by themselves."""
        before, end = self._holding.before, len(self._graph)
        dicts = self._of_kinds({"dict"}) & ~self._namespaces()
        groups: dict[int, list[int]] = {}
        for node in np.flatnonzero(inner & (before != NO_NODE)):
            owner = int(before[node])
            groups.setdefault(owner if owner != end and dicts[owner] else int(node), []).append(int(node))
        return groups

    def _registry(self, owner: int, parts: Iterable[int], callables: npt.NDArray[np.bool_]) -> Registry:
        kinds: dict[str, int] = {}
        for part in parts:
            for target in self._graph.referents(part, 1 << Strength.VISITED):
                if callables[target]:
                    kind = self._kind(int(target))
                    kinds[kind] = kinds.get(kind, 0) + 1
        kind = self._kinds[self._graph.types[owner]]
        return Registry("", owner, kind, sum(kinds.values()), kinds)

    def _kind(self, node: int) -> str:
        base = self._kinds[self._graph.types[node]]
        return "weak references" if base in _WEAK else _KINDS.get(base, "others")


def _sums(values: npt.NDArray[np.bool_], graph: HeapGraph) -> npt.NDArray[np.int64]:
    """Add up a value of each reference over the references of each object."""
    sums = np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
    starts = graph.starts.astype(np.int64)
    return sums[starts[1:]] - sums[starts[:-1]]
