"""Births where no line of the program runs: the stack that is true, and nobody guessed.

In a worker thread of an executor the stack is the worker's: whoever submitted the work runs somewhere else or
no longer. In C under a frame of the program (uvloop) it is that frame's.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel_source.folded import Folded, folded
from memprobe.abi import BirthHow
from pythons import Interpreter, own

pytestmark = [pytest.mark.usefixtures("bpf"), pytest.mark.few_interpreters]

Frames = tuple[tuple[str, str, int], ...]


def told(run: Folded) -> Iterator[tuple[int, BirthHow, Frames]]:
    """Every birth, in order: descriptor, how, and frames."""
    for row in run.found.table("births"):
        frames = run.found.stacks[int(row["stack_id"])].frames
        named = tuple((one.function, one.file, one.line) for one in frames)
        yield int(row["descriptor"]), BirthHow(int(row["how"])), named


def said(answer: str) -> dict[int, Frames]:
    """What the target says: the stack of each descriptor that it saw being opened."""
    return {
        int(number): tuple((function, file, line) for function, file, line in frames)
        for number, frames in json.loads(answer).items()
    }


@pytest.mark.parametrize("way", ["pool", "loop"])
def test_executors(interpreter: Interpreter, targets: Path, way: str) -> None:
    with interpreter.spawn(targets / "elsewhere.py") as target, folded(target) as run:
        truth = said(run.ask(way))
        found = {descriptor: frames for descriptor, how, frames in told(run) if how is BirthHow.OPEN}
        assert len(truth) == 3
        for descriptor, frames in truth.items():
            assert found[descriptor] == frames
            assert not {"submit_to_pool", "submit_to_loop"} & {function for function, _, _ in frames}
        # Opened by C as soon as the worker called it: the worker is the innermost frame.
        (in_c,) = (frames for descriptor, frames in found.items() if is_hostname(run, descriptor))
        assert in_c[0][0].endswith("run")
        assert in_c[0][1].endswith("thread.py")
        assert in_c[-1][0].endswith("_bootstrap")


def is_hostname(run: Folded, descriptor: int) -> bool:
    try:
        return Path(f"/proc/{run.target.pid}/fd/{descriptor}").readlink().name == "hostname"
    except OSError:
        return False


def packages(*names: str) -> dict[str, str]:
    """The environment in which a target finds them; skipped without them."""
    for name in names:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            pytest.skip(f"pip install {name}")
        folder = Path(found.origin).resolve().parent.parent
    return {"PYTHONPATH": str(folder)}


def test_aiofiles(targets: Path) -> None:
    environment = packages("aiofiles")
    script = targets / "elsewhere.py"
    with own().spawn(script, environment=environment) as target, folded(target) as run:
        truth = said(run.ask("aiofiles"))
        found = {descriptor: frames for descriptor, how, frames in told(run) if how is BirthHow.OPEN}
        assert len(truth) == 3
        assert all(found[descriptor] == frames for descriptor, frames in truth.items())


def test_uvloop(targets: Path) -> None:
    """Its sockets are made and accepted in C, below the line that runs the loop."""
    environment = packages("uvloop")
    script = targets / "elsewhere.py"
    lines = script.read_text().splitlines()
    known = next(at for at, text in enumerate(lines, 1) if text.endswith("# known line"))
    with own().spawn(script, environment=environment) as target, folded(target) as run:
        run.ask("uvloop")
        births = list(told(run))
        accepted = [frames for _, how, frames in births if how is BirthHow.ACCEPT]
        assert len(accepted) == 3
        for frames in accepted:
            (below,) = (at for at, frame in enumerate(frames) if frame[0] == "serve_on_uvloop")
            assert frames[below] == ("serve_on_uvloop", str(script), known)
            assert [frame[0] for frame in frames[below:]] == ["serve_on_uvloop", "work", "<module>"]
            # Nothing of the program is above it: no coroutine accepts.
            assert not any(file == str(script) for _, file, _ in frames[:below])
