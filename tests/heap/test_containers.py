"""Watched containers: chosen by size or growth, followed through resizes, and noticed when they die."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from heap_looks.holding_in import Look, looked_into
from memprobe.heap.containers import Candidates, Containers, Life, Watched
from memprobe.target.memory.live import LiveMemory
from programs import Target
from pythons import Interpreter

PATHS = {
    "__main__.THINGS",
    "__main__.TABLE",
    "__main__.MEMBERS",
    "__main__.QUEUE",
    "__main__.ORDERED",
    "__main__.HOLDER.inside",
    "__main__.NESTED[…][0]",
}

Watching = tuple[Target, Look, Containers]


@pytest.fixture
def watching(interpreter: Interpreter, targets: Path) -> Iterator[Watching]:
    with interpreter.spawn(targets / "watched.py") as target, looked_into(target.pid) as look:
        containers = Containers(look.python)
        chosen = Candidates(look.python, look.holders).choose()
        containers.watch(one for one in chosen if one.path in PATHS)
        yield target, look, containers


def truth(target: Target, line: str = "pass") -> dict[int, int]:
    return {int(address): int(length) for address, length in json.loads(target.ask(line))}


def alive(containers: Containers) -> dict[int, int]:
    return {one.address: one.length for one in containers.look() if one.life is Life.ALIVE}


def test_large_ones_are_chosen(watching: Watching) -> None:
    target, look, _ = watching
    chosen = {one.path: one for one in Candidates(look.python, look.holders).choose()}
    assert set(chosen) >= PATHS
    assert "__main__.SMALL" not in chosen
    lengths = {one.address: one.length for one in chosen.values() if one.path in PATHS}
    assert lengths == truth(target)


@pytest.mark.parametrize(
    "line",
    [
        "THINGS.extend(range(5000)); MEMBERS.update(range(9000)); QUEUE.extend(range(999))",
        "TABLE.update(dict.fromkeys(range(7000))); ORDERED.update(dict.fromkeys(range(4000)))",
        "HOLDER.inside *= 9; NESTED['deep'][0] *= 3; THINGS.clear(); QUEUE.popleft()",
        "globals().update({'name_%d' % number: number for number in range(5000)})",
        "HOLDER.__dict__.update({'name_%d' % number: number for number in range(500)})",
        "NESTED.update({'key_%d' % number: number for number in range(5000)})",
    ],
)
def test_sizes_are_followed(watching: Watching, line: str) -> None:
    target, _, containers = watching
    assert alive(containers) == truth(target)
    expected = truth(target, line)
    assert alive(containers) == expected
    # Where a table had moved, its new place is known by now.
    assert alive(containers) == expected


def test_one_system_call(watching: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    _, look, containers = watching
    memory = look.python.objects.memory
    assert isinstance(memory, LiveMemory)
    before = memory.statistics().reads
    containers.look()
    assert memory.statistics().reads == before + 1


def dead(found: tuple[Watched, ...], path: str) -> bool:
    return next(one.life for one in found if one.path == path) is not Life.ALIVE


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("THINGS = list(range(200))", "__main__.THINGS"),
        ("TABLE = {}", "__main__.TABLE"),
        ("MEMBERS = set(range(400))", "__main__.MEMBERS"),
        ("QUEUE = None or []", "__main__.QUEUE"),
        ("ORDERED = ORDERED.copy()", "__main__.ORDERED"),
        ("HOLDER.inside = [None] * 700", "__main__.HOLDER.inside"),
        ("NESTED['deep'][0] = [0] * 800", "__main__.NESTED[…][0]"),
    ],
)
def test_the_end_of_one_is_noticed(watching: Watching, line: str, path: str) -> None:
    target, _, containers = watching
    assert not dead(containers.look(), path)
    truth(target, line)
    found = containers.look()
    assert dead(found, path)
    assert [one.path for one in found if one.life is not Life.ALIVE] == [path]
    assert path not in {one.path for one in containers.look()}


def test_what_grew_comes_first(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "watched.py") as target:
        with looked_into(target.pid) as look:
            before = Candidates(look.python, look.holders).by_address()
        truth(target, "THINGS.extend(range(3000)); TABLE.update(dict.fromkeys(range(2000)))")
        with looked_into(target.pid) as look:
            first, second, *_ = Candidates(look.python, look.holders).choose(before, most=5)
    assert [first.path, second.path] == ["__main__.THINGS", "__main__.TABLE"]
