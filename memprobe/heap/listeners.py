"""Registries: collections of callables, in which somebody has asked to be told of something.

A collection is one if most of what it refers to can be called: functions, bound methods, partials, or
weak references to such things (weakref.WeakMethod, or a WeakSet of them). Namespaces are none: a class is a
dict of functions, too. Lists, sets and tuples of callables that one dict holds are one registry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush

import numpy as np
import numpy.typing as npt

from memprobe.heap.arrays import looked_up, pieces, places_of
from memprobe.heap.dominators import NO_NODE
from memprobe.heap.graph import NODE_MASK, STRENGTH_SHIFT, HeapGraph
from memprobe.heap.holders import Holders, generalised
from memprobe.heap.references import Role
from memprobe.heap.shapes import Strength

Flags = npt.NDArray[np.bool_]

LEAST_CALLABLES = 2
"""A collection with fewer is not a registry worth a line."""

_NODE = np.uint32(NODE_MASK)
_SHARE = 0.8
_MAXIMUM_LOOKED_AT = 1_000
_COLLECTIONS = {"list", "set", "frozenset", "collections.deque", "dict", "tuple"}
_INNER = {"list", "set", "frozenset", "collections.deque", "tuple"}
_BUILTIN = "builtin functions"
_KINDS = {
    "function": "functions",
    "method": "bound methods",
    "builtin_function_or_method": _BUILTIN,
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
    """How many are bound methods, functions, closures, partials, weak references; estimated beyond 1,000."""


class Listeners:
    """Finds the registries in one graph."""

    def __init__(self, holders: Holders) -> None:
        self._graph = holders.graph
        self._holding = holders.holding
        self._holders = holders
        self._kinds = [holders.members.base_name(int(address)) for address in self._graph.type_addresses]

    def find(self, most: int = 50) -> list[Registry]:
        """Return the registries, the one with most callables first."""
        callables = self._callables()
        groups = self._groups(callables)
        found = [_ranked(self._registry(owner, parts, callables)) for owner, parts in groups.items()]
        heapify(found)
        named: list[Registry] = []
        while found and len(named) < most:
            best = heappop(found)[-1]
            path = self._holders.path_to(best.node) if self._is_worth(best) else None
            if path is None:
                continue
            if path.places[-1].role is not Role.NAMESPACE:
                named.append(replace(best, path=generalised(path.text)))
            elif groups.get(best.node, [best.node]) != [best.node]:
                # The dict of an instance is a namespace: what it holds are registries of their own.
                for part in groups.pop(best.node):
                    heappush(found, _ranked(self._registry(part, [part], callables)))
        return named

    def _is_worth(self, one: Registry) -> bool:
        """Say whether it can be a registry at all."""
        # Tables of nothing but C functions are the interpreter's own, and into a tuple nobody registers.
        return one.length >= LEAST_CALLABLES and set(one.kinds) != {_BUILTIN} and one.type != "tuple"

    def _groups(self, callables: Flags) -> dict[int, list[int]]:
        """Return the collections of callables, those that one dict holds together."""
        dicts = self._of_kinds({"dict"}) & ~self._namespaces()
        registries = self._registries(callables)
        direct = registries & dicts
        groups = {int(node): [int(node)] for node in np.flatnonzero(direct)}
        before, end = self._holding.before, len(self._graph)
        inner = registries & self._of_kinds(_INNER)
        for node in np.flatnonzero(inner & (before != NO_NODE)):
            owner = int(before[node])
            groups.setdefault(owner if owner != end and dicts[owner] else int(node), []).append(int(node))
        return groups

    def _callables(self) -> Flags:
        """Say of each object whether it can be called, or is a weak reference to what can."""
        graph = self._graph
        found = self._of_kinds(set(_KINDS))
        weak = self._of_kinds(_WEAK)
        to_callables = np.zeros(len(graph), np.bool_)
        for part in pieces(len(graph.targets)):
            edges = np.flatnonzero(graph.targets[part] >> STRENGTH_SHIFT == Strength.WEAK) + part.start
            edges = edges[found[graph.targets[edges] & _NODE]]
            to_callables[graph.sources(edges)] = True
        # What a WeakMethod refers to is the object; it makes the method when it is asked.
        names = [self._holders.members.type_name(int(address)) for address in graph.type_addresses]
        methods = np.array([name == "WeakMethod" for name in names], np.bool_)
        return found | weak & to_callables | looked_up(methods, graph.types)

    def _of_kinds(self, names: set[str]) -> Flags:
        by_type = np.array([kind in names for kind in self._kinds], np.bool_)
        return looked_up(by_type, self._graph.types)

    def _registries(self, callables: Flags) -> Flags:
        """Say of each object whether it refers mostly to callables."""
        # The keys of a dict of str are owned, but not visited: they do not count as its content.
        called = _sums(self._graph, lambda targets: _visited(targets) & callables[targets & _NODE])
        nodes = places_of(called >= 1)
        called = called[nodes]
        everything = _sums(self._graph, _visited)[nodes]
        found = np.zeros(len(self._graph), np.bool_)
        found[nodes[called >= _SHARE * everything]] = True
        return found

    def _namespaces(self) -> Flags:
        """Say which dicts are those of modules, classes and functions; instances are asked one by one."""
        graph = self._graph
        found = np.zeros(len(graph), np.bool_)
        found[list(self._holding.roots)] = True
        sources = self._of_kinds({"type", "function"})
        for part in pieces(len(graph)):
            if sources[part].any():
                starts = graph.starts[part.start : part.stop + 1].astype(np.int64)
                targets = graph.targets[starts[0] : starts[-1]]
                found[targets[np.repeat(sources[part], np.diff(starts))] & _NODE] = True
        return found

    def _registry(self, owner: int, parts: Sequence[int], callables: Flags) -> Registry:
        """Count what is in the collections that make up a registry."""
        graph = self._graph
        targets = np.concatenate([graph.referents(part, 1 << Strength.VISITED) for part in parts])
        targets = targets[callables[targets]]
        kinds = Counter(self._kind(int(target)) for target in targets[:_MAXIMUM_LOOKED_AT])
        for kind in kinds if len(targets) > _MAXIMUM_LOOKED_AT else ():
            kinds[kind] = kinds[kind] * len(targets) // _MAXIMUM_LOOKED_AT
        return Registry("", owner, self._kinds[graph.types[owner]], len(targets), dict(kinds))

    def _kind(self, node: int) -> str:
        base = self._kinds[self._graph.types[node]]
        if base == "function" and self._has_closure(node):
            return "closures"
        return "weak references" if base in _WEAK else _KINDS[base]

    def _has_closure(self, node: int) -> bool:
        """Say whether a function has a tuple of cells."""
        graph = self._graph
        for target in graph.referents(node, 1 << Strength.VISITED):
            if self._kinds[graph.types[target]] == "tuple":
                inside = graph.referents(int(target))
                if len(inside) and all(self._kinds[graph.types[cell]] == "cell" for cell in inside):
                    return True
        return False


def _ranked(registry: Registry) -> tuple[int, int, Registry]:
    """Put before a registry by what it is ranked: the longest first."""
    return -registry.length, registry.node, registry


def _visited(targets: npt.NDArray[np.uint32]) -> Flags:
    return np.asarray(targets >> STRENGTH_SHIFT == Strength.VISITED, np.bool_)


def _sums(graph: HeapGraph, chosen: Callable[[npt.NDArray[np.uint32]], Flags]) -> npt.NDArray[np.uint32]:
    """Count of each object the references that are chosen."""
    before = np.zeros(len(graph) + 1, np.uint32)
    """Of each object how many there are of all the objects before it."""
    total = np.uint32(0)
    for part in pieces(len(graph.targets)):
        running = np.cumsum(chosen(graph.targets[part]), dtype=np.uint32) + total
        first, last = np.searchsorted(
            graph.starts, np.array((part.start, part.stop), np.uint64), side="right"
        )
        before[first:last] = running[graph.starts[first:last] - np.uint64(part.start + 1)]
        total = running[-1]
    before[:-1] = np.diff(before)
    return before[:-1]
