"""The census against what the target says of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import pythons
from heap_looks.looking import looking
from memprobe.heap.census import Census, take_census

TARGETS = Path(__file__).resolve().parent.parent / "targets"
MANY = 20
"""Types of fewer objects are compared by their counts only."""

Truth = dict[str, Any]


@contextmanager
def truth_and_census(
    interpreter: pythons.Interpreter, environment: dict[str, str] | None = None
) -> Iterator[tuple[Truth, Census, pythons.Target]]:
    """What a target says of its heap, what memprobe sees of it, and the target."""
    with interpreter.spawn(TARGETS / "heap_truth.py", environment=environment) as target:
        target.ask("truth")  # what it makes once is made
        truth = json.loads(target.ask("truth"))
        with looking(target.pid) as heap:
            yield truth, take_census(heap), target


def differences(truth: Truth, census: Census) -> list[str]:
    """The types of which gc.get_objects() has another number than the census."""
    seen = {f"{row.address:x}": row for row in census.rows}
    lines = [
        f"{truth['names'][kind]}: {count} objects, {seen[kind].collectable if kind in seen else 0} seen"
        for kind, count in truth["counts"].items()
        if kind not in seen or seen[kind].collectable != count
    ]
    extra = (row for kind, row in seen.items() if row.collectable and kind not in truth["counts"])
    return lines + [f"{row.name}: no object, {row.collectable} seen" for row in extra]


def size_errors(truth: Truth, census: Census) -> list[str]:
    """The types whose sizes in all are more than 1 % off, of those that are tracked to the last object."""
    rows = {f"{row.address:x}": row for row in census.rows}
    compared = [
        (kind, rows[kind], truth["sizes"][kind])
        for kind, count in truth["counts"].items()
        if count >= MANY and rows[kind].count == count
    ]
    assert len(compared) > 15
    return [
        f"{row.name}: {size / row.count:.1f} bytes each, {row.getsizeof_bytes / row.count:.1f} seen"
        for kind, row, size in compared
        if abs(row.getsizeof_bytes - size) > 0.01 * size
    ]


def test_counts_and_sizes_are_those_of_the_target(interpreter: pythons.Interpreter) -> None:
    with truth_and_census(interpreter) as (truth, census, _):
        assert differences(truth, census) == []
        assert size_errors(truth, census) == []
        assert census.frozen_is_known
        assert census.remarks == ()
        assert census.counters["torn_pools"] == 0


def test_blocks_are_those_of_the_allocator(interpreter: pythons.Interpreter) -> None:
    with truth_and_census(interpreter) as (_, census, target):
        target.ask("stats")
        said = re.findall(r"# bytes in allocated blocks +=\s+([\d,]+)", target.errors())
        blocks = int(said[-1].replace(",", ""))
        assert census.counters["pool_bytes"] == pytest.approx(blocks, rel=0.001)
        # Nearly all of them are known to belong to an object of some type: the totals are explained.
        assert census.unowned_bytes < 0.02 * blocks


def test_untracked_objects_are_counted(interpreter: pythons.Interpreter) -> None:
    """Each population is held by the target, and the interpreter has some more of its own."""
    with interpreter.spawn(TARGETS / "heap_untracked.py") as target, looking(target.pid) as heap:
        before = json.loads(target.ready)
        rows = {row.name: row for row in take_census(heap).rows}
        for name, (count, size) in before.items():
            assert count <= rows[name].count <= 1.02 * count + 12_000, name
            # Strings that the interpreter keeps are the only others worth their name.
            assert size <= rows[name].getsizeof_bytes <= 1.01 * size + 3_000_000, name


@pytest.mark.parametrize("allocator", ["malloc", "debug", "malloc_debug"])
def test_other_allocators(interpreter: pythons.Interpreter, allocator: str) -> None:
    with truth_and_census(interpreter, {"PYTHONMALLOC": allocator}) as (truth, census, _):
        assert differences(truth, census) == []
        assert size_errors(truth, census) == []
        assert bool(census.remarks) == allocator.startswith("malloc")


def test_frozen_objects_are_apart(interpreter: pythons.Interpreter) -> None:
    with interpreter.spawn(TARGETS / "heap_frozen.py") as target, looking(target.pid) as heap:
        rows = {row.name: row for row in take_census(heap).rows}
        assert rows["__main__.Frozen"].frozen == 1000
        assert rows["__main__.Frozen"].collectable == 0
        assert rows["__main__.Free"].collectable == 500


def test_objects_of_all_interpreters_are_counted(interpreter: pythons.Interpreter) -> None:
    with interpreter.spawn(TARGETS / "heap_several.py") as target, looking(target.pid) as heap:
        assert len(heap.python.interpreters()) == 3
        found = [row.count for row in take_census(heap).rows if row.name == "__main__.Mine"]
        assert sorted(found) == [1000, 2000]
