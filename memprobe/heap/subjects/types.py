"""Types by their objects, and who holds most of those of a type that grows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memprobe.heap.answers import Answers
from memprobe.heap.subjects.counted import Counted
from memprobe.heap.subjects.elements import Fillings
from memprobe.heap.subjects.hubs import Hub, Hubs
from memprobe.heap.subjects.kinds import Kinds
from memprobe.heap.subjects.remembered import Remembered
from memprobe.heap.subjects.type_counts import TypeCount
from memprobe.heap.subjects.words import stable_number
from memprobe.vocab.subject import ALL_COUNTED, Seen, Subject, What

LARGEST, LARGEST_AT_FIRST = 25, 60
"""Types of most memory that are told; what grows is not known at the first look."""

MOST = 120
"""What was told before is told again, as long as there is room: else there would seem to be none."""

GROWN = 25
"""And those with most objects more than before."""

LEAST_GROWTH = 4

SEARCHED = 6
"""Of so many types that have grown it is found out who holds them: one pass over the graph each."""

_PLAIN = {
    *("str", "bytes", "int", "float", "complex", "tuple", "list", "dict", "set", "frozenset", "object"),
    *("cell", "function", "method", "builtin_function_or_method", "code", "weakref.ReferenceType", "weakref"),
    *("collections.deque", "collections.OrderedDict", "collections.defaultdict", "_thread.lock"),
}
"""Types of which every program has many, for all sorts of reasons: who holds most of them means little."""


@dataclass(frozen=True, slots=True)
class TypesBefore:
    """The types of one look by number, as they are remembered."""

    numbers: npt.NDArray[np.uint64]
    objects: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]


def numbered(types: Sequence[TypeCount]) -> TypesBefore:
    """Number the types, so that they are found again."""
    return TypesBefore(
        np.array([stable_number(f"type {row.type}") for row in types], np.uint64),
        np.array([row.objects for row in types], np.int64),
        np.array([row.allocated_bytes for row in types], np.int64),
    )


class Types:
    """Tells of the types of one look."""

    def __init__(self, answers: Answers, kinds: Kinds, types: Sequence[TypeCount], counted_ns: int) -> None:
        """`types` are those of the walk that ended at `counted_ns`."""
        self._answers = answers
        self._kinds = kinds
        self._types = types
        self._counted_ns = counted_ns
        self._fillings = Fillings(answers, kinds)
        self.numbered = numbered(types)
        self.told: dict[int, int] = {}
        """The numbers of the types that were told, as they are remembered."""

    def tell(self, before: Remembered) -> Iterator[Counted]:
        """Yield the types that matter, and the holders of those that grew."""
        objects, _ = before.before(self.numbered.numbers)
        grown = np.where(objects > 0, self.numbered.objects - objects, 0)
        first = [int(index) for index in np.argsort(-grown, kind="stable")[:GROWN]]
        by_growth = [index for index in first if grown[index] >= LEAST_GROWTH]
        largest = range(min(LARGEST_AT_FIRST if before.is_empty else LARGEST, len(self._types)))
        again = np.flatnonzero(np.isin(self.numbered.numbers, before.told["identity"])).tolist()
        held = self._held(by_growth)
        for index in list(dict.fromkeys((*by_growth, *largest, *again)))[:MOST]:
            number = int(self.numbered.numbers[index])
            self.told[number] = number
            yield self._type(self._types[index], held.get(index))
        yield from self._holders(held)

    def _held(self, grown: Sequence[int]) -> dict[int, Hub]:
        """Find out who holds most objects of some types."""
        hubs = Hubs(self._answers, self._kinds)
        wanted = [index for index in grown if self._types[index].type not in _PLAIN][:SEARCHED]
        found = {index: hubs.of(self._answers.nodes_of([self._types[index].type])) for index in wanted}
        return {index: hub for index, hub in found.items() if hub is not None}

    def _type(self, row: TypeCount, hub: Hub | None) -> Counted:
        holder = "" if hub is None else hub.holder
        notes = (ALL_COUNTED,) if row.type in self._kinds.all_counted else ()
        subject = Subject(What.TYPE, row.type, holder, chain=() if hub is None else hub.chain, notes=notes)
        seen = Seen.CHURNING if row.churning else Seen.EXACTLY
        return Counted(
            subject,
            f"type:{row.type}",
            row.objects,
            row.allocated_bytes,
            seen=seen,
            time_ns=self._counted_ns,
        )

    def _holders(self, held: dict[int, Hub]) -> Iterator[Counted]:
        """Yield who holds what though it is no collection, each with the type it holds most of."""
        best: dict[int, tuple[int, str, Hub]] = {}
        for index, hub in held.items():
            if not hub.is_collection:
                ranked = hub.objects, self._types[index].type, hub
                best[hub.node] = max(ranked, best.get(hub.node, ranked), key=lambda one: one[:2])
        holding = self._answers.holders.holding
        for node, (objects, name, hub) in best.items():
            holder = self._kinds.names[int(self._answers.graph.types[hub.node])]
            subject = Subject(
                What.HOLDER,
                name,
                hub.holder,
                container=holder,
                elements=self._fillings.sort(self._kinds.names.index(name)),
                chain=hub.chain,
            )
            key = f"holder:{stable_number(hub.holder):016x}"
            yield Counted(subject, key, objects, int(holding.retained[node]), time_ns=self._counted_ns)
