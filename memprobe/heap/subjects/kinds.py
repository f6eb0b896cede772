"""The types of one graph by what they are built on: the same question for all objects at once."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from memprobe.heap.answers import Answers
from memprobe.heap.arrays import looked_up
from memprobe.heap.containers import size_fields
from memprobe.target.cpython.objects import UNREADABLE

Flags = npt.NDArray[np.bool_]

MAXIMUM_BASES = 64

ALL_COUNTED = frozenset(
    {
        *("object", "int", "float", "complex", "bool", "NoneType", "str", "bytes", "bytearray", "type"),
        *("tuple", "list", "dict", "set", "frozenset", "array.array", "_io.BytesIO", "collections.deque"),
        *("collections.OrderedDict", "collections.defaultdict", "functools._lru_list_elem"),
        *("cell", "function", "method", "builtin_function_or_method", "functools.partial", "code", "frame"),
        *("generator", "coroutine", "async_generator", "traceback", "BaseException", "Exception"),
        *("weakref", "weakref.ReferenceType", "_asyncio.Task", "_asyncio.Future", "_asyncio.FutureIter"),
        *("_contextvars.Context", "_contextvars.ContextVar", "_io.FileIO"),
    }
)
"""C types whose objects have no block of memory that the census does not count as theirs."""


class Kinds:
    """What the types of one graph are; types have their index in the graph."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._members = answers.holders.members
        self._addresses = [int(address) for address in answers.graph.type_addresses]
        self._ancestors: dict[int, tuple[str, ...]] = {}

    @cached_property
    def bases(self) -> list[str]:
        """Of each type the C type that it is built on: "dict", "object", ..."""
        return [self._members.base_name(address) for address in self._addresses]

    @cached_property
    def names(self) -> list[str]:
        """Of each type its qualified name."""
        return self._answers.type_names

    @cached_property
    def all_counted(self) -> frozenset[str]:
        """The names of types all whose memory is counted: of an instance what it holds are objects, too."""
        others = {name for name, base in zip(self.names, self.bases, strict=True) if base not in ALL_COUNTED}
        return frozenset(self.names) - others

    def ancestors(self, kind: int) -> tuple[str, ...]:
        """The qualified names of a type and those above it, by its first bases."""
        if kind not in self._ancestors:
            self._ancestors[kind] = tuple(self._climb(self._addresses[kind]))
        return self._ancestors[kind]

    def _climb(self, address: int) -> Iterable[str]:
        try:
            for _ in range(MAXIMUM_BASES):
                if not address:
                    return
                yield self._answers.heap.types.name(address)
                address = self._members.shapes.facts(address).base
        except UNREADABLE:
            return

    def built_on(self, names: Iterable[str]) -> Flags:
        """Say of each type whether it is built on one of these C types."""
        wanted = frozenset(names)
        return np.array([base in wanted for base in self.bases], np.bool_)

    def objects(self, chosen: Flags) -> Flags:
        """Say of each object whether it is of one of the chosen types."""
        return looked_up(chosen, self._answers.graph.types)

    @cached_property
    def collections(self) -> Flags:
        """The types that grow entry by entry, and whose length can be read."""
        lengths = set(size_fields(self._answers.heap.python)) - {"bytearray"}
        return self.built_on(lengths)

    @cached_property
    def dict_places(self) -> npt.NDArray[np.int64]:
        """Of each type where its instances have the pointer to their `__dict__`; 0 if nowhere."""
        return np.array([self._dict_place(address) for address in self._addresses], np.int64)

    def _dict_place(self, address: int) -> int:
        try:
            facts = self._members.shapes.facts(address)
        except UNREADABLE:
            return 0
        return -24 if facts.has_managed_dict else max(0, facts.dictoffset)

    def class_of(self, address: int) -> str:
        """Return what the class of the object at an address is called; "" if it is a type of C."""
        node = self._answers.graph.node(address)
        if node is None:
            return ""
        kind = int(self._answers.graph.types[node])
        try:
            facts = self._members.shapes.facts(self._addresses[kind])
        except UNREADABLE:
            return ""
        is_class = "type" in self.ancestors(kind)
        return self.names[kind] if facts.is_python_class and not is_class else ""
