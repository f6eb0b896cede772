"""The collector: what memprobe reads is what the module gc says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from memprobe.target.cpython.collector import GENERATIONS, Collector, Collectors
from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.interpreters import Interpreter as PythonInterpreter
from memprobe.target.cpython.objects import Objects
from memprobe.target.layouts import load_layout
from memprobe.target.memory.fake import FakeMemory
from patience import until
from pythons import Interpreter
from target.attaching import attached

READS_OF_A_RUNNING_TARGET = 30


def test_collector(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "collecting.py") as target, attached(target.pid) as python:
        truth = json.loads(target.ready)
        found = python.collector()
    assert found is not None
    assert (found.enabled, found.collecting) == (False, False)
    assert list(found.thresholds) == truth["thresholds"]
    assert [list(found.collections), list(found.collected), list(found.uncollectable)] == truth["stats"]
    assert found.frozen_objects == truth["frozen"]
    # To say it, the target itself allocates a little.
    assert list(found.objects[1:]) == truth["objects"][1:]
    assert found.objects[0] == pytest.approx(truth["objects"][0], abs=60)
    assert list(found.counts[1:]) == truth["counts"][1:]
    assert found.counts[0] == pytest.approx(truth["counts"][0], abs=60)


def test_objects_are_not_counted_unless_wanted(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "collecting.py") as target, attached(target.pid) as python:
        found = python.collector(count_objects=False)
    assert found is not None
    assert found.objects == (None, None, None)
    assert found.frozen_objects is None


def test_collector_of_a_target_that_is_always_collecting(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "churning.py") as target, attached(target.pid) as python:
        assert not python.invisible
        found: list[Collector] = []

        def has_been_seen() -> bool:
            """Whether it got on meanwhile, and stood still for long enough to be counted once."""
            one = python.collector()
            assert one is not None
            found.append(one)
            was_counted = any(each.objects[2] is not None for each in found)
            return was_counted and found[0].collections < one.collections

        until(lambda: has_been_seen() and len(found) >= READS_OF_A_RUNNING_TARGET, pause_s=0)
    collections = [one.collections for one in found]
    assert collections == sorted(collections)


STATE = 0x100000
NODES = 0x200000
NODE_BYTES = 64
MAIN = PythonInterpreter(id=0, address=0, is_main=True, threads=0, modules=0, sys_dict=0, gil=0)


class Lists:
    """A collector of 3.11 in made-up memory, with a list of objects in the first generation."""

    def __init__(self, count: int) -> None:
        self.layout = load_layout((3, 11))
        self.memory = FakeMemory({STATE: bytes(0x1000), NODES: bytes((count + 64) * NODE_BYTES)})
        state = STATE + self.layout.offset("PyInterpreterState.gc")
        generations = state + self.layout.offset("_gc_runtime_state.generations")
        size = self.layout.size("gc_generation")
        self.heads = [generations + number * size for number in range(GENERATIONS)]
        self.nodes = [NODES + number * NODE_BYTES for number in range(count)]
        self.generation0 = state + self.layout.offset("_gc_runtime_state.generation0")
        self.set(self.generation0, self.heads[0])
        permanent = state + self.layout.offset("_gc_runtime_state.permanent_generation")
        self.link(self.heads[0], *self.nodes)
        for head in (*self.heads[1:], permanent):
            self.link(head)

    def set(self, address: int, value: int) -> None:
        self.memory.write(address, value.to_bytes(8, "little"))

    def link(self, *nodes: int) -> None:
        """Link nodes into a ring; the low bits carry flags, as in life."""
        for number, node in enumerate(nodes):
            self.set(node, nodes[(number + 1) % len(nodes)])
            self.set(node + 8, nodes[number - 1] | (1 if node in self.nodes else 0))

    def collectors(self) -> Collectors:
        return Collectors(Objects(self.memory, self.layout), 0)

    def objects(self) -> int | None:
        found = self.collectors().read(replace(MAIN, address=STATE))
        assert found is not None
        return found.objects[0]

    def complaint(self) -> str:
        return self.collectors().check(replace(MAIN, address=STATE))


def test_a_list_is_counted() -> None:
    assert Lists(0).objects() == 0
    assert Lists(1000).objects() == 1000
    assert Lists(1000).complaint() == ""


def test_a_list_that_is_longer_than_the_bound_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memprobe.target.cpython.collector.MAXIMUM_OBJECTS", 99)
    assert Lists(99).objects() == 99
    assert Lists(100).objects() is None


# The last word of a page that was read already is the one whose neighbour lies beyond it.
@pytest.mark.parametrize(
    "wrong",
    [0, 1, 0xDEAD0000, NODES + 8, (NODES | 0xFFF) - 7, NODES + 5 * NODE_BYTES, 2**64 - 16],
)
@pytest.mark.parametrize("place", [0, 8])
def test_a_broken_link_is_noticed(wrong: int, place: int) -> None:
    lists = Lists(20)
    lists.set(lists.nodes[10] + place, wrong)
    assert lists.objects() is None
    assert "generation 0 is not doubly linked" in lists.complaint()


def test_a_link_that_is_broken_for_a_moment_is_not() -> None:
    lists = Lists(20)
    good = lists.nodes[11].to_bytes(8, "little")
    lists.memory.tear(lists.nodes[10], bytes(8), good)
    assert lists.objects() == 20
    lists.memory.tear(lists.nodes[10], bytes(8), good)
    assert lists.complaint() == ""


def test_the_collectors_own_pointer_tells_where_the_generations_are() -> None:
    lists = Lists(5)
    lists.set(lists.generation0, STATE + 0x800)
    assert "generation0" in lists.complaint()
    assert lists.collectors().read(replace(MAIN, address=STATE)) is None


def test_fields_of_a_layout_are_unpacked_in_the_order_asked_for() -> None:
    layout = load_layout((3, 11))
    fields = Fields(layout, "gc_generation", "count:signed", "threshold")
    block = bytearray(layout.size("gc_generation"))
    start = layout.offset("gc_generation.count")
    block[start : start + 4] = b"\xfe\xff\xff\xff"
    assert fields.unpack(bytes(block)) == (-2, 0)
