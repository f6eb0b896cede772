"""The collections of a heap that may pile up: the largest, those that grew, those that were told before."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memprobe.heap.answers import Answers
from memprobe.heap.containers import Watched, size_fields
from memprobe.heap.lengths import Lengths
from memprobe.heap.naming import Path
from memprobe.heap.references import Role
from memprobe.heap.subjects.counted import Counted
from memprobe.heap.subjects.cut import retained_by_all
from memprobe.heap.subjects.elements import Fillings
from memprobe.heap.subjects.entries import Entries
from memprobe.heap.subjects.kinds import Kinds
from memprobe.heap.subjects.limits import Limits
from memprobe.heap.subjects.places import Place, Places
from memprobe.heap.subjects.remembered import Remembered
from memprobe.heap.subjects.sharing import Filled, keepers
from memprobe.heap.subjects.words import holder_text, holders_above, stable_number
from memprobe.vocab.subject import Elements, Seen, Subject, What

LARGEST = 40
"""So many of the largest are told of."""

GROWN = 40
"""And so many of those that have grown most since the look before."""

MOST = 240
"""What was told before is told again, as long as there is room: what has most entries first."""

TABLES = 16
"""The tables of Python's own modules are large and stay as they are: until they grow they count less."""

LEAST_ENTRIES = 8
"""A collection with fewer is not worth a name unless it has grown by as many."""

LEAST_GROWTH = 4

NOTICEABLE = 0.01
"""By so much the collections of one place must have grown each."""

MOST_READ = 2_000
"""Collections of one place whose lengths are read; of more, these speak for all."""

LRU_CACHE = "functools.lru_cache"
ON_METHOD = "it is the cache of a method: its keys keep the instances alive"

MOST_TOGETHER = 128
"""Collections of one place whose lengths are watched together, as long as there are no more of them."""

MOST_REFERENCES = 4_096
"""Of the one that holds them: where it refers to each is searched for."""

_LRU_WRAPPER = "functools._lru_cache_wrapper"
_AT_EXIT = re.compile(r"<atexit>\[\d+\]\.func$")
_INTERNAL = re.compile(
    r"<static memory of libpython|<interpreter |sys\.path_importer_cache|<type |<native code>($|[\[{]|\.<)"
    r"|.*\.<pending_bytes>$"
)
"""Tables of the interpreter itself, which no program fills by mistake; what has no name at all; and what a
text file has still to write: few kilobytes, then they are written."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A place that has a name."""

    place: Place
    path: Path
    text: str
    key: int


class Collections:
    """Tells of the collections of one graph."""

    def __init__(self, answers: Answers, kinds: Kinds, places: Places) -> None:
        python = answers.heap.python
        self._answers = answers
        self._graph = answers.graph
        self._holders = answers.holders
        self._kinds = kinds
        self._places = places
        self._fillings = Fillings(answers, kinds)
        self._lengths = Lengths(python.objects, answers.heap.types)
        self._entries = Entries(python.objects, answers.heap.types)
        self._limits = Limits(python, answers.holders.members)
        self._watchable = set(size_fields(python))
        roots = self._holders.holding.roots.values()
        self._modules = {root.place.address for root in roots if root.place.role is Role.NAMESPACE}
        self._keepers: dict[str, str] = {}
        self._before = Remembered()
        self.told: dict[int, int] = {}
        """The keys of what was told, by address or place."""

    def tell(self, before: Remembered) -> Iterator[Counted]:
        """Yield those that matter; `told` is what to remember of them."""
        self._before = before
        keys = before.keys()
        found: dict[int, list[_Named]] = {}
        for index in self._chosen(before, keys):
            if (named := self._named(self._places.place(index), keys)) is not None:
                found.setdefault(named.key, []).append(named)
                self.told[self._identity(named.place)] = named.key
        again = set(keys.values())
        self._keepers = keepers(self._graph, self._filled(found.values()))
        for key, same in found.items():
            counted = self._counted(same)
            if counted.count or key in again:
                yield counted

    def at_exit(self, roots_ns: int) -> Iterator[Counted]:
        """Yield the functions that run at exit, of when the roots were read: they are in no collection."""
        titles = [root for root in self._answers.roots if _AT_EXIT.match(root.title)]
        nodes = [self._graph.node(root.place.address) for root in titles]
        kinds = Counter(self._kinds.names[int(self._graph.types[node])] for node in nodes if node is not None)
        if kinds:
            kind = kinds.most_common(1)[0][0]
            subject = Subject(What.CONTAINER, kind, "<atexit>", (), "atexit", Elements.CALLABLES)
            yield Counted(subject, "container:<atexit>", len(titles), None, time_ns=roots_ns)

    def _filled(self, found: Iterable[Sequence[_Named]]) -> list[Filled]:
        """Those that can share what they hold: single ones, the heaviest first."""
        single = [same[0] for same in found if len(same) == 1 and same[0].place.members == 1]
        single.sort(key=lambda one: (-one.place.entries, one.text))
        return [Filled(one.text, int(one.place.nodes[0])) for one in single]

    def _chosen(self, before: Remembered, keys: dict[int, int]) -> list[int]:
        """Return which places matter: what grew, what was told before, what is large."""
        places = self._places
        known = places.are_whole | places.are_single
        grown = np.where(known, self._growth(before), 0)
        by_growth = [index for index in _most(grown, GROWN) if grown[index] >= LEAST_GROWTH]
        told = known & np.isin(self._identities(), np.array(list(keys), np.uint64))
        again = [index for index in _most(np.where(told, places.entries, -1), MOST) if told[index]]
        # Of many collections in one place only growth is worth a word: there may just be more of them.
        alone = known & (places.are_single | (places.members == 1))
        single = np.where(alone, places.entries, 0) // np.where(self._are_tables(), TABLES, 1)
        large = [index for index in _most(single, LARGEST) if single[index] >= LEAST_ENTRIES]
        return list(dict.fromkeys((*by_growth, *again, *large)))[:MOST]

    def _are_tables(self) -> npt.NDArray[np.bool_]:
        """Say of each place whether it is a variable of a module of Python's own library."""
        roots = self._holders.holding.roots.items()
        library = [
            node
            for node, root in roots
            if root.place.role is Role.NAMESPACE and root.title.partition(".")[0] in sys.stdlib_module_names
        ]
        return np.isin(self._holders.holding.before[self._places.first], library)

    def _growth(self, before: Remembered) -> npt.NDArray[np.int64]:
        """Of each place the entries more than before, less what new collections of their usual size have."""
        places = self._places
        if before.is_empty:
            return np.zeros(len(places.known), np.int64)
        members, entries = before.before(places.known)
        expected = np.maximum(entries, (entries * places.members / np.maximum(members, 1)).astype(np.int64))
        grown = places.entries - expected
        many = ~places.are_single
        grown[many & ((members == 0) | (grown < NOTICEABLE * expected))] = 0
        return grown

    def _identities(self) -> npt.NDArray[np.uint64]:
        places = self._places
        return np.where(places.are_single, self._graph.addresses[places.first], places.known)

    def _identity(self, place: Place) -> int:
        return int(self._graph.addresses[place.nodes[0]]) if place.is_single else place.number

    def _named(self, place: Place, keys: dict[int, int]) -> _Named | None:
        """Name a place; None for what is no collection of the program."""
        path = self._holders.path_to(int(place.nodes[0]))
        if path is None or path.places[-1].role is Role.NAMESPACE or _INTERNAL.match(path.text):
            return None
        text = holder_text(path, self._kinds.class_of)
        key = keys.get(self._identity(place))
        return _Named(place, path, text, key if key is not None else stable_number(text))

    def _counted(self, same: list[_Named]) -> Counted:
        """Count all places of one name together."""
        first = same[0]
        nodes = np.concatenate([one.place.nodes for one in same])
        stands_for = np.concatenate([one.place.stands_for for one in same])
        members = sum(one.place.members for one in same)
        length, read = self._length(nodes, stands_for)
        count = length if read == members else length * members // max(read, 1)
        seen = Seen.EXACTLY if read == members == len(nodes) else Seen.ESTIMATED
        return Counted(
            self._subject(first, nodes, count),
            f"container:{first.key:016x}",
            count,
            self._retained(nodes, stands_for, count),
            first=self._entries.first(*self._object(nodes[0])) if members == 1 else None,
            seen=seen,
            watched=self._watched(nodes) if members == len(nodes) and self._is_settled(same) else (),
        )

    def _length(self, nodes: npt.NDArray[np.uint32], stands_for: npt.NDArray[np.int64]) -> tuple[int, int]:
        """Return how many entries some collections have with those they stand for, and how many these are."""
        each = slice(None, None, max(1, -(-len(nodes) // MOST_READ)))
        pairs = [
            (int(self._graph.addresses[node]), self._graph.type_address(int(node))) for node in nodes[each]
        ]
        read = zip(self._lengths.read(pairs), stands_for[each].tolist(), strict=True)
        found = [(length * times, times) for length, times in read if length is not None]
        return sum(length for length, _ in found), sum(times for _, times in found)

    def _retained(self, nodes: npt.NDArray[np.uint32], stands_for: npt.NDArray[np.int64], count: int) -> int:
        """Return what would be free without some collections and those they stand for."""
        holding, total = self._holders.holding, 0
        for times in np.unique(stands_for).tolist():
            total += times * retained_by_all(holding, self._kinds, nodes[stands_for == times], count)
        return total

    def _subject(self, named: _Named, nodes: npt.NDArray[np.uint32], count: int) -> Subject:
        node = int(nodes[0])
        kind = int(self._graph.types[node])
        lru = self._lru_wrapper(named.path)
        filling = self._fillings.of(nodes[:8].tolist())
        notes = (*filling.notes, *self._notes(named.path, nodes, is_lru=lru is not None))
        return Subject(
            What.CONTAINER,
            type=filling.type,
            holder=named.text,
            container=LRU_CACHE if lru is not None else self._kinds.names[kind],
            elements=filling.elements,
            limit=self._limit(named, node, lru, count) if len(nodes) == 1 else None,
            chain=self._chain(named),
            notes=notes,
        )

    def _chain(self, named: _Named) -> tuple[str, ...]:
        """Return what holds it: the collections on the path, and the one that has the same things."""
        keeper = self._keepers.get(named.text)
        above = holders_above(named.path, self._kinds.class_of)
        return above if keeper is None else tuple(dict.fromkeys((keeper, *above)))

    def _lru_wrapper(self, path: Path) -> int | None:
        """Return the address of the lru_cache whose dict this is."""
        above = path.places[-2].address if len(path.places) > 1 else 0
        return above if self._base(above) == _LRU_WRAPPER else None

    def _base(self, address: int) -> str:
        node = self._graph.node(address)
        return "" if node is None else self._kinds.bases[int(self._graph.types[node])]

    def _notes(self, path: Path, nodes: npt.NDArray[np.uint32], *, is_lru: bool) -> Iterator[str]:
        if is_lru and any(self._base(place.address) == "type" for place in path.places[-4:-2]):
            yield ON_METHOD
        yield from self._entries.about_keys(*self._object(nodes[0])) if len(nodes) == 1 else ()

    def _object(self, node: np.uint32) -> tuple[int, str]:
        return int(self._graph.addresses[node]), self._kinds.bases[int(self._graph.types[node])]

    def _limit(self, named: _Named, node: int, lru: int | None, count: int) -> int | None:
        if lru is not None:
            return self._limits.of_lru_cache(lru)
        if self._kinds.bases[int(self._graph.types[node])] == "collections.deque":
            limit = self._limits.of_deque(int(self._graph.addresses[node]))
            if limit is not None:
                return limit
        above = named.path.places[:-1]
        if not above or named.text.endswith(("]", "}")):
            return None
        name = named.text.rpartition(".")[2]
        in_module = above[-1].address in self._modules
        return self._limits.beside(above[-1], name, count, general=not in_module)

    def _is_settled(self, same: Sequence[_Named]) -> bool:
        """Say whether there are as many collections as before: else new ones have part in the growth."""
        if len(same) == 1 and same[0].place.members == 1:
            return True
        members, _ = self._before.before(np.array([one.place.number for one in same], np.uint64))
        return all(now.place.members == then for now, then in zip(same, members.tolist(), strict=True))

    def _watched(self, nodes: npt.NDArray[np.uint32]) -> tuple[Watched, ...]:
        """Return how to read the lengths of some collections again; nothing if not of all of them."""
        graph, before = self._graph, self._holders.holding.before
        bases = [self._kinds.bases[kind] for kind in graph.types[nodes].tolist()]
        owners = before[nodes].astype(np.int64)
        inside = owners[owners < len(graph)]
        many = len(nodes) > 1 and (graph.starts[inside + 1] - graph.starts[inside] > MOST_REFERENCES).any()
        if len(nodes) > MOST_TOGETHER or many or not self._watchable.issuperset(bases):
            return ()
        return tuple(
            Watched(
                address=int(graph.addresses[node]),
                type_address=graph.type_address(node),
                type=base,
                owner=int(graph.addresses[owner]) if owner < len(graph) else 0,
            )
            for node, base, owner in zip(nodes.tolist(), bases, owners.tolist(), strict=True)
        )


def _most(amounts: npt.NDArray[np.int64], most: int) -> list[int]:
    """Where the largest amounts are, the largest first."""
    return [int(index) for index in np.argsort(-amounts, kind="stable")[:most]]
