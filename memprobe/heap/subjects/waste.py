"""What nothing in the program leads to: garbage, cycles that are never collected, what native code holds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from memprobe.heap.answers import Answers
from memprobe.heap.census import frozen_addresses
from memprobe.heap.dominators import NO_NODE
from memprobe.heap.opening import OpenHeap
from memprobe.heap.subjects.counted import Counted
from memprobe.heap.subjects.kinds import Flags
from memprobe.heap.waste import STARVED_ROUNDS, has_del, what_waits
from memprobe.target.cpython.collector import Collector
from memprobe.vocab.subject import Subject, What

MOST_TYPES = 25
"""Types of each sort that are told, those of most objects first."""

LEAST_OBJECTS = 2

HIGH = 1_000_000
"""A threshold that no program of ordinary size comes to within minutes."""

OFF = "the collector is off"
THRESHOLD_0 = "the collector's threshold is 0: it never runs by itself"
HIGH_THRESHOLD = "the collector's threshold is so high that it hardly ever runs"
STARVED = "the oldest generation is due and is not collected"
HAS_DEL = "its class has __del__"
FROZEN = "some objects are frozen (gc.freeze): the collector leaves them alone"
NOT_SEEN = "the collector cannot free them: a type in the cycle hides its references from it, or it is frozen"


class Waste:
    """Tells what is held by nobody; made before the counts of the graph are given up."""

    def __init__(self, answers: Answers, graph_ns: int) -> None:
        """`graph_ns` is when the graph was read."""
        self._answers = answers
        self._graph_ns = graph_ns
        self._heap: OpenHeap = answers.heap
        self._garbage: Flags = what_waits(answers.heap, answers.graph, frozen_addresses(answers.heap))
        self._numbers: dict[str, int] = {}
        """The names of types; a class that is made again and again is many types of one name."""

        self._named = np.array(
            [self._numbers.setdefault(name, len(self._numbers)) for name in answers.type_names], np.intp
        )

    def tell(self) -> Iterator[Counted]:
        """Yield garbage, cycles out of the collector's sight, and what native code holds, by type."""
        holding, sizes = self._answers.holders.holding, self._answers.graph.sizes
        state = tuple(self._collector_notes(self._heap.python.collector(count_objects=False)))
        garbage = np.flatnonzero(self._garbage)
        yield from self._by_type(What.GARBAGE, garbage, sizes[garbage], state)
        lost = np.flatnonzero((holding.before == NO_NODE) & ~self._garbage)
        yield from self._by_type(What.UNCOLLECTABLE, lost, sizes[lost], (NOT_SEEN,))
        native = holding.native.astype(np.int64)
        if len(native):
            yield from self._by_type(What.UNHELD, native, holding.retained[native], ())

    def _by_type(
        self,
        what: What,
        nodes: npt.NDArray[np.int64],
        sizes: npt.NDArray[np.unsignedinteger],
        notes: tuple[str, ...],
    ) -> Iterator[Counted]:
        graph, names = self._answers.graph, list(self._numbers)
        types = graph.types[nodes]
        which = self._named[types]
        objects = np.bincount(which, minlength=len(names))
        total = np.bincount(which, weights=sizes, minlength=len(names))
        for number in map(int, np.argsort(-objects, kind="stable")[:MOST_TYPES]):
            if objects[number] < LEAST_OBJECTS:
                return
            kind = types[np.argmax(which == number)]
            own = (HAS_DEL,) if has_del(self._heap, int(graph.type_addresses[kind])) else ()
            subject = Subject(what, names[number], notes=(*own, *notes))
            key = f"{what.name.lower()}:{names[number]}"
            yield Counted(subject, key, int(objects[number]), int(total[number]), time_ns=self._graph_ns)

    def _collector_notes(self, state: Collector | None) -> Iterator[str]:
        """Say why the collector does not come."""
        if state is None:
            return
        if not state.enabled:
            yield OFF
        elif not state.thresholds[0]:
            yield THRESHOLD_0
        elif state.thresholds[0] >= HIGH:
            yield HIGH_THRESHOLD
        elif state.counts[-1] > STARVED_ROUNDS * state.thresholds[-1] > 0:
            yield STARVED
        if state.frozen_objects:
            yield FROZEN
