"""The census of a target that allocates and frees flat out in four threads."""

from __future__ import annotations

import operator
import os
import statistics
import struct
import time
from pathlib import Path
from threading import Event, Thread

import pytest

import pythons
from heap_looks.looking import looking
from memprobe.heap.census import Census, TypeRow, take_census
from memprobe.heap.opening import OpenHeap, open_heap
from memprobe.target.inspection.opening import opened

pytestmark = pytest.mark.few_interpreters

TARGETS = Path(__file__).resolve().parent.parent / "targets"
SNAPSHOTS = int(os.environ.get("MEMPROBE_SNAPSHOTS", "50"))
WARM = 20
STABLE = {"float": 80_000, "tuple": 100_000, "__main__.Stable": 50_000}
"""What the target holds and nobody churns; the interpreter has some of its own."""
KEPT = 4 * 5000
"""Objects that the threads hold at any moment, with what they have dropped and nobody collected."""


def resident_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def counts(census: Census) -> dict[str, int]:
    return {row.name: row.count for row in census.rows}


def row_of(census: Census, name: str) -> TypeRow:
    return {row.name: row for row in census.rows}[name]


def test_many_snapshots_of_a_busy_target(interpreter: pythons.Interpreter) -> None:
    """None fails, memprobe does not grow, and what does not change is counted right each time."""
    with interpreter.spawn(TARGETS / "heap_busy.py") as target, opened(target.pid) as held:
        assert held.python is not None
        resident = 0
        marked = 0
        baseline: dict[str, int] = {}
        for number in range(SNAPSHOTS):
            with open_heap(held.process, held.python) as heap:
                census = take_census(heap)
            found = counts(census)
            baseline = baseline or found
            for name, count in STABLE.items():
                assert found[name] >= 0.98 * count, (number, name)
                assert found[name] == pytest.approx(baseline[name], rel=0.02), (number, name)
            assert found["__main__.Stable"] == pytest.approx(STABLE["__main__.Stable"], rel=0.02)
            assert found["__main__.Churned"] >= 0.9 * KEPT, number
            marked += row_of(census, "__main__.Churned").is_churning
            assert census.torn_objects < 0.01 * census.count
            if number == WARM:
                resident = resident_kb()
        assert marked
        assert resident_kb() < resident + 4096


class Waves:
    """What heap_waves.py says of itself: of each thread, how many there are and how many were ever made."""

    def __init__(self, heap: OpenHeap, address: int) -> None:
        self._memory, self._address = heap.python.objects.memory, address

    def _numbers(self) -> tuple[int, ...]:
        return struct.unpack("8q", self._memory.read(self._address, 64))

    @property
    def alive(self) -> int:
        return sum(self._numbers()[0::2])

    @property
    def _made(self) -> tuple[int, ...]:
        return self._numbers()[1::2]

    def replace_half(self, walked: int, to_walk: int) -> None:
        """Let the walk wait at its end until each thread has made half of its objects anew."""
        before = self._made
        while walked == to_walk and min(map(operator.sub, self._made, before)) < KEPT / 8:
            time.sleep(0.001)

    def watch(self, seen: list[int], is_over: Event) -> None:
        """Note every millisecond how many there are."""
        while not is_over.wait(0.001):
            seen.append(self.alive)


def test_a_population_that_is_replaced_meanwhile(interpreter: pythons.Interpreter) -> None:
    """Within 10 % of how many there were on average."""
    with interpreter.spawn(TARGETS / "heap_waves.py") as target, looking(target.pid) as heap:
        waves = Waves(heap, int(target.ready))
        for _ in range(25):
            seen, is_over = [waves.alive], Event()
            watching = Thread(target=waves.watch, args=(seen, is_over))
            watching.start()
            row = row_of(take_census(heap), "__main__.Wave")
            is_over.set()
            watching.join()
            assert row.count == pytest.approx(statistics.mean(seen), rel=0.1)


def test_a_type_is_marked_whose_objects_come_and_go(interpreter: pythons.Interpreter) -> None:
    """Half of them, between the end of the walk and the second look at some of its pools."""
    with interpreter.spawn(TARGETS / "heap_waves.py") as target, looking(target.pid) as heap:
        waves = Waves(heap, int(target.ready))
        for _ in range(25):
            row = row_of(take_census(heap, waves.replace_half), "__main__.Wave")
            assert row.is_churning


def test_types_at_rest_are_not_called_churning(interpreter: pythons.Interpreter) -> None:
    with interpreter.spawn(TARGETS / "heap_busy.py") as target, looking(target.pid) as heap:
        rows = {row.name: row for row in take_census(heap).rows}
        assert not rows["float"].is_churning
        assert not rows["tuple"].is_churning
