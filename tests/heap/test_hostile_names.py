"""Naming what cannot be believed: no exception, no endless walk, whatever the memory says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from heap_looks.holding_in import looked_into
from heap_looks.lying import LyingMemory
from memprobe.heap.holders import Holders
from memprobe.heap.holding import Holding
from memprobe.heap.members import Members
from memprobe.heap.references import Place, Role
from memprobe.heap.roots import Roots
from memprobe.target.cpython.python import attach_python
from patience import PATIENCE_S
from pythons import Interpreter
from target.looking import looked_at

pytestmark = pytest.mark.few_interpreters

OBJECTS = 400


@pytest.mark.parametrize("seed", range(3))
def test_a_memory_that_lies(interpreter: Interpreter, targets: Path, seed: int) -> None:
    with (
        interpreter.spawn(targets / "registries.py") as target,
        looked_into(target.pid) as look,
        looked_at(target.pid) as seen,
    ):
        memory = LyingMemory(seen.memory, seed)
        python = attach_python(memory, seen.runtimes()[0], seen.mappings)
        members = Members(python)
        memory.lies = 0.05
        begin = time.monotonic()
        roots = Roots(python, members, seen.mappings).read(lambda kind: kind % 32 == 0)
        holders = Holders(python, Holding(look.graph, roots), members)
        for number in range(0, len(look.graph), max(1, len(look.graph) // OBJECTS)):
            address = int(look.graph.addresses[number])
            for role in Role:
                members.of(Place(address + number % 2 * 8, role, ("name",)))
            members.is_object(address)
            holders.path_to(number)
        assert time.monotonic() - begin < PATIENCE_S


def test_what_is_no_object_has_no_members(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "registries.py") as target, looked_into(target.pid) as look:
        members = look.holders.members
        for address in (0, 8, 2**47, 2**63, look.python.runtime.address, look.python.runtime.address + 4):
            assert members.of(Place(address)) == []
            assert not members.is_object(address)
