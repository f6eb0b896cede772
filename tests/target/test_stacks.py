"""Python stacks: what memprobe reads from outside is what the target says of itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from memprobe.target.cpython.frames import MAXIMUM_FRAMES
from memprobe.target.cpython.python import Python
from memprobe.vocab import Frame, Stack
from patience import until
from pythons import Interpreter, Target
from target.attaching import attached
from target.random_programs import random_program

Frames = list[tuple[str, str, int]]

SHAPES = 25
PROGRAMS = 50
READS_OF_A_RUNNING_TARGET = 500

PY_SPY = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")


def told(target: Target) -> dict[int, Frames]:
    """The stacks of all threads but the one that tells."""
    answer = json.loads(target.ask("stacks"))
    return {int(ident): [(*frame,) for frame in frames] for ident, frames in answer.items()}


def seen(python: Python) -> dict[int, Frames]:
    """The stacks of all threads but the one that tells, which is on its way back to where it listens."""
    stacks = {thread.ident: thread.stack for thread in python.threads() if thread.name != "teller"}
    found = {}
    for ident, stack in stacks.items():
        assert stack is not None
        assert stack.complete
        found[ident] = [(one.function, one.file, one.line) for one in stack.frames]
    return found


@pytest.mark.parametrize("how", ["plain", "traced"])
def test_stacks_of_many_threads(interpreter: Interpreter, targets: Path, how: str) -> None:
    with interpreter.spawn(targets / "many_stacks.py", how) as target, attached(target.pid) as python:
        truth = told(target)
        assert len(truth) == SHAPES + 1
        assert seen(python) == truth


def test_stacks_of_random_programs(interpreter: Interpreter, targets: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs.json"
    programs.write_text(json.dumps([random_program(seed) for seed in range(PROGRAMS)]))
    inside = str(interpreter.path_inside(programs))
    with (
        interpreter.spawn(targets / "random_stacks.py", inside) as target,
        attached(target.pid) as python,
    ):
        truth = told(target)
        assert len(truth) == PROGRAMS + 1
        assert seen(python) == truth


@pytest.mark.skipif(PY_SPY is None, reason="py-spy is not installed")
def test_stacks_are_those_of_py_spy(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "many_stacks.py") as target, attached(target.pid) as python:
        ours = {
            thread.tid: [(_plain(frame.function), frame.file, frame.line) for frame in thread.stack.frames]
            for thread in python.threads()
            if thread.stack is not None and thread.name != "teller"
        }
        theirs = _py_spy_dump(target.pid)
    assert len(ours) == SHAPES + 1
    assert ours == {tid: frames for tid, frames in theirs.items() if tid in ours}


def _py_spy_dump(pid: int) -> dict[int, Frames]:
    assert PY_SPY is not None
    command = [PY_SPY, "dump", "--json", "--pid", str(pid)]
    dump = subprocess.run(command, capture_output=True, text=True, check=True)
    return {
        thread["os_thread_id"]: [
            (_plain(frame["name"]), frame["filename"], frame["line"])
            for frame in thread["frames"]
            # It shows the shim that CPython 3.13 and later push below a specialised __init__.
            if (frame["name"], frame["line"]) != (frame["filename"], 0)
        ]
        for thread in json.loads(dump.stdout)
    }


def _plain(name: str) -> str:
    """The name without what it is in: py-spy makes its own guess of the class."""
    return name.rpartition(".")[2]


def main_of(python: Python) -> Stack:
    _, main = python.threads()
    assert main.stack is not None
    return main.stack


def test_a_stack_that_is_deeper_than_the_bound(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "deep_recursion.py") as target, attached(target.pid) as python:
        until(lambda: main_of(python).complete)  # the main thread is on its way to where it waits
        deep, _ = (thread.stack for thread in python.threads())
    assert deep is not None
    assert len(deep.frames) == MAXIMUM_FRAMES
    assert not deep.complete
    assert {(frame.function, frame.line) for frame in deep.frames[1:]} == {("down", 13)}


def test_stacks_of_a_target_that_runs(interpreter: Interpreter, targets: Path) -> None:
    lines = (targets / "spinning.py").read_text().splitlines()
    found: Counter[bool] = Counter()
    with interpreter.spawn(targets / "spinning.py", "3") as target, attached(target.pid) as python:
        for _ in range(READS_OF_A_RUNNING_TARGET):
            for thread in python.threads():
                assert thread.stack is not None
                found[thread.stack.complete] += 1
                if thread.stack.complete:
                    _check_calls(thread.stack, lines)
    assert found[True] > 3 * found[False]


def _check_calls(stack: Stack, lines: list[str]) -> None:
    """Check that each caller stands on a line that calls the one above it."""
    frames = [frame for frame in stack.frames if frame.file.endswith("spinning.py")]
    assert frames
    assert frames[-1].function in ("spin", "<module>"), stack
    for callee, caller in pairwise(frames):
        assert _calls(lines[caller.line - 1], callee), stack


def _calls(line: str, callee: Frame) -> bool:
    name = _plain(callee.function)
    known = {"<lambda>": "sorted(", "<genexpr>": "leaf(item) for item in"}
    return known.get(name, f"{name}(") in line
