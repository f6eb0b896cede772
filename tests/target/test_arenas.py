"""Arenas: what memprobe counts is what the allocator says of itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from memprobe.target.cpython.arenas import Arenas
from memprobe.target.cpython.python import attach_python
from pythons import Interpreter, Target
from target.attaching import attached
from target.looking import looked_at


def told(target: Target) -> Arenas:
    """What sys._debugmallocstats prints."""
    target.send("tell")
    target.expect("told")
    text = target.errors()
    size = re.search(r"(\d+) arenas \* (\d+) bytes/arena", text)
    free = re.search(r"(\d+) unused pools \* (\d+) bytes", text)
    assert size
    assert free
    return Arenas(int(size[1]), int(size[1]) * int(size[2]), int(free[1]) * int(free[2]), "")


def test_arenas(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "arenas.py") as target, attached(target.pid) as python:
        truth = told(target)
        assert truth.count
        assert truth.count > 5
        assert python.arenas() == truth


def test_arenas_are_found_without_symbols(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "arenas.py") as target, looked_at(target.pid) as look:
        truth = told(target)
        (runtime,) = look.runtimes()
        assert attach_python(look.memory, runtime, look.mappings).arenas() == truth


@pytest.mark.parametrize("allocator", ["malloc", "malloc_debug"])
def test_without_the_allocator_there_are_no_arenas(
    interpreter: Interpreter, targets: Path, allocator: str
) -> None:
    environment = {"PYTHONMALLOC": allocator}
    with (
        interpreter.spawn(targets / "arenas.py", environment=environment) as target,
        attached(target.pid) as python,
    ):
        found = python.arenas()
    assert (found.count, found.size_bytes, found.free_bytes) == (None, None, None)
    assert "PYTHONMALLOC=malloc" in found.reason


def test_arenas_under_the_debug_allocator(interpreter: Interpreter, targets: Path) -> None:
    environment = {"PYTHONMALLOC": "pymalloc_debug"}
    with (
        interpreter.spawn(targets / "arenas.py", environment=environment) as target,
        attached(target.pid) as python,
    ):
        assert python.arenas() == told(target)
