"""What sort of callbacks a registry has: the same again and again, or methods of what nothing else needs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from memprobe.heap.answers import Answers
from memprobe.heap.shapes import Strength
from memprobe.heap.subjects.kinds import Flags, Kinds
from memprobe.vocab.subject import DEAD_WEIGHT, SAME_AGAIN

LEAST = 32
"""Of fewer callbacks nothing is said."""

SAMPLED = 64
"""So many are looked at, evenly over the registry."""

FEW = 0.1
"""As few different ones among them are the same ones again and again."""

MOST = 0.8

METHOD = "method"
FUNCTIONS = ("function", "builtin_function_or_method", "functools._lru_cache_wrapper", "functools.partial")
HOLDS = 1 << Strength.VISITED | 1 << Strength.OWNED

Nodes = npt.NDArray[np.uint32]


class Registered:
    """Tells what is registered in the collections of one graph."""

    def __init__(self, answers: Answers, kinds: Kinds) -> None:
        self._graph = answers.graph
        self._holding = answers.holders.holding
        self._kinds = kinds

    @cached_property
    def _functions(self) -> Flags:
        return self._named(*FUNCTIONS)

    def notes(self, node: int, type_name: str) -> Iterator[str]:
        """Yield what is to be said of the callbacks of one type in a collection."""
        entries = self._graph.referents(node, HOLDS)
        entries = entries[self._named(type_name)[self._graph.types[entries]]]
        if len(entries) < LEAST:
            return
        some = entries[np.linspace(0, len(entries) - 1, min(len(entries), SAMPLED)).astype(np.int64)]
        owners = np.array([self._owner(int(one)) for one in some]) if type_name == METHOD else some
        if len(np.unique(owners)) <= FEW * len(some):
            yield SAME_AGAIN
        elif type_name == METHOD and not self._graph.is_part and self._are_kept_alive(some, owners):
            yield DEAD_WEIGHT  # in the graph of a part of the heap others may have them who are not in it

    def _owner(self, method: int) -> int:
        """Return the object that a method is bound to."""
        inside = self._graph.referents(method, HOLDS)
        owners = inside[~self._functions[self._graph.types[inside]]]
        return int(owners[0]) if len(owners) else method

    def _are_kept_alive(self, methods: Nodes, owners: npt.NDArray[np.integer]) -> bool:
        """Tell whether most of the owners would go with the method."""
        retained, sizes = self._holding.retained, self._graph.sizes
        needed = sizes[methods].astype(np.uint64) + sizes[owners]
        return int((retained[methods] >= needed).sum()) >= MOST * len(methods)

    def _named(self, *names: str) -> Flags:
        """Say of each type whether it is called so."""
        return np.array([name in names for name in self._kinds.names], np.bool_)
