"""Containers whose lengths are read again: followed through resizes, and noticed when they die."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from memprobe.heap.containers import places_of
from memprobe.heap.looker.lengths import Lengths
from memprobe.heap.reaching import reached
from memprobe.heap.subjects.surveyor import Surveyor
from memprobe.target.cpython.python import Python
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
}


class Watching:
    """A program and the lengths of its containers, as they are read again."""

    def __init__(self, target: Target, python: Python, surveyor: Surveyor) -> None:
        self.target, self.python = target, python
        found = [one for one in surveyor.survey() if one.watched and one.subject.holder in PATHS]
        places = places_of(python, [one.watched[0] for one in found])
        self.addresses = {one.subject.holder: place[0] for one, place in zip(found, places, strict=True)}
        header = [python.layout.offset("PyObject.ob_refcnt"), python.layout.offset("PyObject.ob_type")]
        watched = [(one.subject.holder, *place) for one, place in zip(found, places, strict=True)]
        self.lengths = Lengths(python.objects.memory, header, watched)
        self._now_ns = 0

    def truth(self, line: str = "pass") -> dict[int, int]:
        """The lengths by address, as the program has them after a line."""
        told = {int(address): int(length) for address, length in json.loads(self.target.ask(line))}
        return {address: told[address] for address in self.addresses.values() if address in told}

    def read(self) -> dict[str, int]:
        """The newest lengths, of all that is still read: so late that everything is told."""
        self._now_ns += 1 << 40
        return {key: length for key, length, _ in self.lengths.read(self._now_ns)}

    def by_address(self) -> dict[int, int]:
        return {self.addresses[key]: length for key, length in self.read().items()}


@pytest.fixture
def watching(interpreter: Interpreter, targets: Path) -> Iterator[Watching]:
    with interpreter.spawn(targets / "watched.py") as target, reached(target.pid) as found:
        assert found.python is not None
        yield Watching(target, found.python, Surveyor(found.process, found.python))


def test_large_ones_can_be_watched(watching: Watching) -> None:
    assert set(watching.addresses) == PATHS
    assert watching.by_address() == watching.truth()


@pytest.mark.parametrize(
    "line",
    [
        "THINGS.extend(range(5000)); MEMBERS.update(range(9000)); QUEUE.extend(range(999))",
        "TABLE.update(dict.fromkeys(range(7000))); ORDERED.update(dict.fromkeys(range(4000)))",
        "HOLDER.inside *= 9; THINGS.clear(); QUEUE.popleft()",
    ],
)
def test_sizes_are_followed(watching: Watching, line: str) -> None:
    assert watching.by_address() == watching.truth()
    expected = watching.truth(line)
    assert watching.by_address() == expected
    assert watching.by_address() == expected


@pytest.mark.parametrize(
    "line",
    [
        "globals().update({'name_%d' % number: number for number in range(5000)})",
        "HOLDER.__dict__.update({'name_%d' % number: number for number in range(500)})",
    ],
)
def test_what_a_holder_may_have_let_go_waits_for_the_next_look(watching: Watching, line: str) -> None:
    """Its table has moved: nothing that is read is wrong, and whoever is not read is not called dead."""
    expected = watching.truth(line)
    assert watching.by_address().items() <= expected.items()


def test_one_system_call(watching: Watching) -> None:
    memory = watching.python.objects.memory
    assert isinstance(memory, LiveMemory)
    before = memory.statistics().reads
    watching.read()
    assert memory.statistics().reads == before + 1


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("THINGS = list(range(200))", "__main__.THINGS"),
        ("TABLE = {}", "__main__.TABLE"),
        ("MEMBERS = set(range(400))", "__main__.MEMBERS"),
        ("QUEUE = None or []", "__main__.QUEUE"),
        ("ORDERED = ORDERED.copy()", "__main__.ORDERED"),
        ("HOLDER.inside = [None] * 700", "__main__.HOLDER.inside"),
    ],
)
def test_the_end_of_one_is_noticed(watching: Watching, line: str, path: str) -> None:
    assert path in watching.read()
    watching.truth(line)
    assert set(watching.read()) == PATHS - {path}
