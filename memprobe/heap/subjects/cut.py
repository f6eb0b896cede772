"""Collections that the graph of a part has only in part: how large they would be if it had them all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from memprobe.heap.answers import Answers
from memprobe.heap.graph import CUT, FOLLOWED
from memprobe.heap.holding import Holding
from memprobe.heap.lengths import Lengths
from memprobe.heap.subjects.kinds import Kinds

Nodes = npt.NDArray[np.uint32]
Weights = npt.NDArray[np.int64]

_PAIRED = ("dict", "collections.OrderedDict", "collections.defaultdict")
"""These refer to two objects for an entry."""


def made_whole(answers: Answers, kinds: Kinds, nodes: Nodes, weights: Weights) -> Weights:
    """Return what some collections weigh, those that were cut by their lengths."""
    graph, heap = answers.graph, answers.heap
    cut = np.flatnonzero(graph.flags[nodes] & CUT)
    pairs = [(int(graph.addresses[node]), graph.type_address(node)) for node in nodes[cut].tolist()]
    lengths = Lengths(heap.python.objects, heap.types).read(pairs)
    references = np.array([length or 0 for length in lengths], np.int64) * _each(
        kinds, graph.types[nodes[cut]]
    )
    found = weights.copy()
    found[cut] = np.maximum(weights[cut], references)
    return found


def retained_by_all(holding: Holding, kinds: Kinds, nodes: Nodes, count: int) -> int:
    """Return what would be free without some collections, which have `count` entries together."""
    graph = holding.graph
    total = int(holding.retained[nodes].sum())
    cut = graph.flags[nodes] & CUT != 0
    if not cut.any():
        return total
    own = int(graph.sizes[nodes].sum(dtype=np.int64))
    degrees = (graph.starts[nodes.astype(np.int64) + 1] - graph.starts[nodes]).astype(np.int64)
    # Not all that were followed are edges: None and small numbers are no objects of the heap.
    degrees[cut] = np.maximum(degrees[cut], FOLLOWED)
    followed = int((degrees // _each(kinds, graph.types[nodes])).sum())
    return own + (total - own) * max(count, followed) // followed


def _each(kinds: Kinds, types: npt.NDArray[np.uint32]) -> Weights:
    """Return of types of collections to how many objects they refer for an entry."""
    return np.array([2 if kinds.bases[kind] in _PAIRED else 1 for kind in types.tolist()], np.int64)
