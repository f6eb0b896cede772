"""Births in the worker threads of executors: their own stack, and never a guess at who submitted the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel_source.following import following
from memprobe.vocab import Frame
from pythons import Interpreter

pytestmark = [pytest.mark.usefixtures("bpf"), pytest.mark.few_interpreters]

WAYS = ("to_thread", "run_in_executor", "pool", "c_function")


def birth_of(interpreter: Interpreter, targets: Path, way: str) -> tuple[Frame, ...]:
    """The stack that is told of the descriptor that was opened in this way."""
    with interpreter.spawn(targets / "executing.py") as target, following(target.pid) as found:
        descriptor = int(target.ask(way))
        found.poll()
        births = found.table("births")
        (mine,) = births[(births["descriptor"] == descriptor) & (births["tid"] != target.pid)]
        stack = found.stacks[int(mine["stack_id"])]
        assert stack.complete
        return stack.frames


@pytest.mark.parametrize("way", WAYS)
def test_the_worker_says_what_it_ran(interpreter: Interpreter, targets: Path, way: str) -> None:
    if way == "to_thread" and interpreter.version < (3, 9):
        pytest.skip("there is no asyncio.to_thread")
    frames = birth_of(interpreter, targets, way)
    own = [(frame.function, frame.line) for frame in frames if frame.file.endswith("executing.py")]
    assert own == ([] if way == "c_function" else [("open_in_worker", 6)])
    executor = [frame for frame in frames if frame.file.endswith("concurrent/futures/thread.py")]
    assert "run" in executor[0].function
    assert frames.index(executor[0]) == (0 if way == "c_function" else way_down(frames))
    assert not any("submit" in frame.function for frame in frames)


def way_down(frames: tuple[Frame, ...]) -> int:
    """Where the frames of the submitted function end."""
    return next(index for index, frame in enumerate(frames) if "executing.py" not in frame.file)
