"""The graph of a part of a heap: the same as that of the whole, as far as it goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from memprobe.heap import part
from memprobe.heap.answers import Answers
from memprobe.heap.dominators import NO_NODE
from memprobe.heap.graph import CUT, NODE_MASK, HeapGraph, build_graph, open_for_graph
from memprobe.heap.holding import Holding
from memprobe.heap.opening import OpenHeap
from memprobe.heap.part import answers_near_roots
from memprobe.heap.reaching import reached
from memprobe.heap.subjects import counting
from memprobe.heap.subjects.counted import Counted
from memprobe.heap.subjects.remembered import Remembered, unpacked
from memprobe.heap.subjects.surveyor import Surveyor
from memprobe.vocab.subject import Seen, What
from pythons import Interpreter

pytestmark = pytest.mark.few_interpreters

ENTRIES = 700
"""Of each collection of piles.py: more than are followed of a dict, fewer than of a list."""


@contextmanager
def heap_of(pid: int) -> Iterator[OpenHeap]:
    with reached(pid) as target:
        assert target.python is not None
        with open_for_graph(target.process, target.python) as heap:
            yield heap


@contextmanager
def piling(interpreter: Interpreter, targets: Path) -> Iterator[int]:
    """A program whose collections have ENTRIES each."""
    with interpreter.spawn(targets / "piles.py") as target:
        target.expect("done")
        target.send(str(ENTRIES - 300))
        target.expect("done")
        yield target.pid


def survey(pid: int) -> tuple[Surveyor, list[Counted]]:
    with reached(pid) as target:
        assert target.python is not None
        surveyor = Surveyor(target.process, target.python)
        return surveyor, list(surveyor.survey())


def of(found: list[Counted], what: What) -> dict[str, Counted]:
    return {one.key: one for one in found if one.subject.what is what}


def references(graph: HeapGraph, node: int, among: set[int]) -> list[int]:
    return sorted(among.intersection(graph.addresses[graph.referents(node)].tolist()))


def is_same(near: HeapGraph, whole: HeapGraph, address: int, both: set[int]) -> bool:
    """Say whether two graphs have the same of an object: its size, and its references if none were cut."""
    one, other = near.node(address), whole.node(address)
    assert one is not None
    assert other is not None
    is_cut = bool(near.flags[one] & CUT)
    referred = is_cut or references(near, one, both) == references(whole, other, both)
    return referred and int(near.sizes[one]) == int(whole.sizes[other])


def held_without(holding: Holding, cut: set[int]) -> Iterator[int]:
    """Yield some of the objects that roots hold, those below large collections left out."""
    addresses = holding.graph.addresses
    for node in np.flatnonzero(holding.before != NO_NODE)[::50].tolist():
        way = holding.way(node)
        if way[0] in holding.roots and cut.isdisjoint(addresses[way[:-1]].tolist()):
            yield int(addresses[node])


def test_with_room_for_all_it_has_what_the_roots_hold(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "heap_truth.py") as target, heap_of(target.pid) as heap:
        whole = Answers(heap, build_graph(heap))
        whole.read_roots()
        near = answers_near_roots(heap, 10 * len(whole.graph)).graph
        holding = whole.holders.holding
        both = set(near.addresses.tolist()) & set(holding.graph.addresses.tolist())
        assert len(both) >= 0.999 * len(near)
        cut = set(near.addresses[near.flags & CUT != 0].tolist())
        held = list(held_without(holding, cut))
        assert len(both.intersection(held)) >= 0.99 * len(held) > 500
        some = sorted(both)[::7]
        same = sum(is_same(near, whole.graph, address, both) for address in some)
        assert same >= 0.99 * len(some)


def test_it_takes_no_more_than_it_may(interpreter: Interpreter, targets: Path) -> None:
    with piling(interpreter, targets) as pid, heap_of(pid) as heap:
        near = answers_near_roots(heap, 3_000).graph
        assert 2_000 < len(near) <= 3_000
        assert near.counters["beyond"] > 0
        assert near.is_part
        wider = answers_near_roots(heap, 30_000).graph
        assert wider.counters["levels"] > near.counters["levels"]


def test_a_level_may_have_very_many_tables(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "wide.py") as target, heap_of(target.pid) as heap:
        near = answers_near_roots(heap, 500_000).graph
        kinds = [heap.types.name(int(kind)) for kind in near.type_addresses]
        is_list, is_dict = near.types == kinds.index("list"), near.types == kinds.index("dict")
        assert is_list.sum() >= 100_100
        starts = near.starts.astype(np.int64)
        sources = np.repeat(np.arange(len(near)), starts[1:] - starts[:-1])
        with_a_list = np.unique(sources[is_list[near.targets & NODE_MASK]])
        assert is_dict[with_a_list].sum() >= 100_000


def test_a_survey_of_it_tells_the_same(
    interpreter: Interpreter, targets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with piling(interpreter, targets) as pid:
        whole_surveyor, expected = survey(pid)
        monkeypatch.setattr(part, "SMALL_BYTES", 0)
        monkeypatch.setattr(part, "WHOLE_OBJECTS", 0)
        surveyor, found = survey(pid)
    assert [one.leaves_open("garbage:dict") for one in (whole_surveyor, surveyor)] == [False, True]
    assert surveyor.leaves_open("type:str")
    assert not surveyor.leaves_open("type:__main__.Nothing")
    assert unpacked(surveyor.remembered).is_of_part
    assert any("nearest" in sentence for sentence in surveyor.evidence.remarks)
    assert not of(found, What.GARBAGE)
    wholes, parts = of(expected, What.CONTAINER), of(found, What.CONTAINER)
    assert wholes.keys() == parts.keys()
    for key, one in parts.items():
        whole = wholes[key]
        # What it is filled with may be told by other entries.
        assert replace(one.subject, type=whole.subject.type) == whole.subject
        assert (one.count, one.watched) == (whole.count, whole.watched)
        if one.subject.holder == "__main__.CACHE.items":  # the others share what they hold
            assert one.bytes == pytest.approx(whole.bytes, rel=0.25)
    types = of(expected, What.TYPE)
    assert types.keys() == of(found, What.TYPE).keys()
    assert all(one.count == types[key].count for key, one in of(found, What.TYPE).items())


def test_of_a_very_large_heap_types_are_estimated(
    interpreter: Interpreter, targets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "SMALL_BYTES", 0)
    monkeypatch.setattr(part, "WHOLE_OBJECTS", 0)
    with piling(interpreter, targets) as pid:
        _, expected = survey(pid)
        monkeypatch.setattr(counting, "CENSUS_BYTES", 0)
        surveyor, found = survey(pid)
    assert any("estimated" in sentence for sentence in surveyor.evidence.remarks)
    assert not of(found, What.MEMORY)
    assert of(found, What.CONTAINER).keys() == of(expected, What.CONTAINER).keys()
    counted, estimated = of(expected, What.TYPE)["type:str"], of(found, What.TYPE)["type:str"]
    assert estimated.seen is Seen.CHURNING
    assert estimated.count == pytest.approx(counted.count, rel=0.2)


def test_a_heap_that_was_too_large_stays_so(
    interpreter: Interpreter, targets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "SMALL_BYTES", 0)
    with piling(interpreter, targets) as pid, heap_of(pid) as heap:
        objects = len(build_graph(heap))
        monkeypatch.setattr(part, "WHOLE_OBJECTS", objects * 3 // 2)
        assert not part.is_large(heap, was_large=False)
        assert part.is_large(heap, was_large=True)
        monkeypatch.setattr(part, "WHOLE_OBJECTS", objects // 2)
        assert part.is_large(heap, was_large=False)


def test_what_is_remembered_says_so() -> None:
    for is_of_part in (False, True):
        assert unpacked(Remembered(is_of_part=is_of_part).packed()).is_of_part is is_of_part
