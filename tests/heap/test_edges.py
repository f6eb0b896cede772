"""The graph against gc.get_referents, for every object of rich targets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from memprobe.heap.graph import NODE_MASK, STRENGTH_SHIFT, HeapGraph, build_graph, open_for_graph
from memprobe.heap.shapes import Strength
from memprobe.target.cpython.arenas import Arena
from memprobe.target.inspection.opening import opened
from pythons import Interpreter

MISSING_ALLOWED = {
    "builtins.module": "the state of a C module is the module's own affair: its words are marked as guessed",
    "builtins.PyCapsule": "3.13: whoever made it brings its own traverse function",
    "_pickle.Pickler": "3.11.5: the memo, a table of a C struct of its own",
    "_pickle.Unpickler": "3.11.5: the memo",
    "_ctypes.PyCPointerType": "to 3.12 a class visits what its dict (a StgDict) owns",
    "_ctypes.PyCArrayType": "the same",
    "_ctypes.PyCFuncPtrType": "the same",
    "_ctypes.PyCSimpleType": "the same",
    "_ctypes.PyCStructType": "the same",
    "sqlite3.Cache": "3.10: a list of nodes that refer to one another",
}
"""Types whose objects visit what the graph does not have as visited, and why."""

SURPLUS_ALLOWED = {
    "typing.TypeVar": "12.0 to 13.0 forget to visit the name, a str",
    "typing.TypeVarTuple": "the same",
    "typing.ParamSpec": "the same",
    "typing.TypeAliasType": "the same",
}
"""Types of whose objects the graph has something as visited that some patch releases do not visit."""

Truth = Iterator[tuple[int, str, list[int]]]


def told(path: Path) -> Truth:
    """Yield address, type and referents of every object that the target's collector knows."""
    names = json.loads(Path(f"{path}.json").read_text())
    words = np.fromfile(path, np.uint64).tolist()
    at = 0
    while at < len(words):
        address, kind, count = words[at : at + 3]
        yield address, names[str(kind)], words[at + 3 : at + 3 + count]
        at += 3 + count


class Edges:
    """What a graph says of single objects, by address."""

    def __init__(self, graph: HeapGraph) -> None:
        self.index = {address: node for node, address in enumerate(graph.addresses.tolist())}
        self._addresses = graph.addresses
        self._starts = graph.starts.tolist()
        self._targets = graph.targets

    def of(self, address: int, strength: Strength) -> list[int]:
        """Return the addresses to which an object refers with a strength."""
        node = self.index[address]
        edges: npt.NDArray[np.uint32] = self._targets[self._starts[node] : self._starts[node + 1]]
        found = edges[(edges >> STRENGTH_SHIFT) == strength] & np.uint32(NODE_MASK)
        addresses: list[int] = self._addresses[found].tolist()
        return addresses


def differences(truth: Truth, edges: Edges) -> Iterator[tuple[str, str, int]]:
    """Yield type, what is wrong and with how many referents, of each object that differs unexpectedly."""
    for address, name, referents in truth:
        if address not in edges.index:
            yield name, "is not in the graph", 1
            continue
        expected = Counter(one for one in referents if one in edges.index)
        visited = Counter(edges.of(address, Strength.VISITED))
        missing, surplus = expected - visited, visited - expected
        if missing and name not in MISSING_ALLOWED:
            yield name, "lacks", missing.total()
        if surplus and name not in SURPLUS_ALLOWED:
            yield name, "has too many", surplus.total()


def lost(truth: list[tuple[int, str, list[int]]], edges: Edges, arenas: Sequence[Arena]) -> Iterator[str]:
    """Yield the types of whose referents some lie in an arena, but are no object of the graph.

    All others that are none are static. Modules of C hold on to free lists of dead objects.
    """
    for _, name, referents in truth:
        outside = [one for one in referents if one not in edges.index]
        if name != "builtins.module" and any(
            arena.address <= one < arena.address + arena.size for one in outside for arena in arenas
        ):
            yield name


def module_states(truth: list[tuple[int, str, list[int]]], edges: Edges) -> tuple[int, int]:
    """Return how many objects the state of C modules refers to, and how many of them were guessed."""
    missing = guessed = 0
    for address, name, referents in truth:
        if name == "builtins.module":
            state = {one for one in referents if one in edges.index} - set(
                edges.of(address, Strength.VISITED)
            )
            missing += len(state)
            guessed += len(state & set(edges.of(address, Strength.GUESSED)))
    return missing, guessed


@pytest.mark.parametrize("program", ["objects_builtin", "objects_running", "objects_library"])
def test_visited_is_what_the_collector_visits(
    interpreter: Interpreter, targets: Path, tmp_path: Path, program: str
) -> None:
    said = tmp_path / "referents"
    with (
        interpreter.spawn(targets / f"{program}.py", str(interpreter.path_inside(said))) as target,
        opened(target.pid) as held,
    ):
        assert held.python is not None
        with open_for_graph(held.process, held.python) as heap:
            graph = build_graph(heap)
            arenas = heap.arenas
    truth = list(told(said))
    edges = Edges(graph)
    assert len(truth) > 5_000
    assert list(differences(iter(truth), edges)) == []
    assert list(lost(truth, edges, arenas)) == []
    missing, guessed = module_states(truth, edges)
    assert missing - guessed < 30  # decimal and atexit have tables of their own
    assert graph.counters["torn_tables"] == 0
    assert graph.counters["absent_tables"] == 0


def test_lies_cost_neither_time_nor_memory(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "lying_objects.py") as target, opened(target.pid) as held:
        assert held.python is not None
        with open_for_graph(held.process, held.python) as heap:
            graph = build_graph(heap)
    memory = sum(arena.size for arena in heap.arenas) + sum(mapping.size for mapping in heap.mappings)
    assert len(graph) > 5_000
    assert len(graph.targets) * 4 < memory
    assert int(graph.starts[-1]) == len(graph.targets)
    assert (graph.targets & np.uint32(NODE_MASK)).max() < len(graph)
    assert graph.counters["torn_tables"] + graph.counters["absent_tables"] > 0


def test_types_that_nobody_knows_are_guessed(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "objects_unknown.py") as target, opened(target.pid) as held:
        assert held.python is not None
        timer, note, plain, derived = map(int, target.ready.split())
        with open_for_graph(held.process, held.python) as heap:
            edges = Edges(build_graph(heap))
    assert timer in edges.of(plain, Strength.GUESSED)
    assert timer in edges.of(derived, Strength.GUESSED)
    assert note in edges.of(derived, Strength.VISITED)
    assert note not in edges.of(derived, Strength.GUESSED)


def test_a_busy_target_gives_a_sound_graph(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "churning.py") as target, opened(target.pid) as held:
        assert held.python is not None
        for _ in range(10):
            with open_for_graph(held.process, held.python) as heap:
                graph = build_graph(heap)
            assert len(graph) > 5_000
            assert int(graph.starts[0]) == 0
            assert int(graph.starts[-1]) == len(graph.targets) == graph.counters["edges"]
            assert (np.diff(graph.starts.astype(np.int64)) >= 0).all()
            assert (graph.targets & np.uint32(NODE_MASK)).max() < len(graph)
