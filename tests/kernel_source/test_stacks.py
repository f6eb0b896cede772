"""Naming stacks: what has gone is said, never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel_source.following import EVERY_STACK, following
from memprobe.sources.kernel import KernelOptions
from memprobe.sources.kernel.stacks import FREED, NO_PYTHON
from pythons import Interpreter, own, spawn_command

pytestmark = pytest.mark.usefixtures("bpf")

FLEETING = """
import os, sys
SOURCE = "def fleeting_%d():\\n    return os.open('/dev/null', 0)\\nfleeting_%d()"
print("ready", flush=True)
for line in sys.stdin:
    for number in range(int(line)):
        space = {"os": os}
        exec(compile(SOURCE % (number, number), "made_up_%d.py" % number, "exec"), space)
        space.clear()
    print("done", flush=True)
"""

IN_C = """
import ctypes, sys, threading
library = ctypes.CDLL(None)
print("ready", flush=True)
sys.stdin.readline()
thread = ctypes.c_ulong()
# A thread that Python knows nothing of: dup(0).
library.pthread_create(ctypes.byref(thread), None, ctypes.cast(library.dup, ctypes.c_void_p), None)
library.pthread_join(thread, None)
print("done", flush=True)
sys.stdin.readline()
"""


def test_code_that_is_gone_is_counted_and_never_another_ones(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    script = tmp_path / "fleeting.py"
    script.write_text(FLEETING)
    with interpreter.spawn(script) as target, following(target.pid) as found:
        target.ask("150")
        found.poll()
        stacks = [found.stacks[number] for number in found.table("births")["stack_id"].tolist() if number]
        assert len(stacks) == 150
        for number, stack in enumerate(stacks):
            assert stack.frames[0].function in (f"fleeting_{number}", FREED.function)
            assert stack.complete == (FREED not in stack.frames)
        gone = sum(stack.frames.count(FREED) for stack in found.stacks.values())
        assert found.losses.get("code_gone", 0) == gone


def test_a_thread_that_is_not_pythons(tmp_path: Path) -> None:
    script = tmp_path / "in_c.py"
    script.write_text(IN_C)
    with own().spawn(script) as target, following(target.pid) as found:
        target.ask("go")
        found.poll()
        births = found.table("births")
        (row,) = births[births["how"] == 6]
        assert row["tid"] != target.pid
        stack = found.stacks[int(row["stack_id"])]
        assert (stack.frames, stack.complete) == ((NO_PYTHON,), True)


def test_names_of_a_child_that_has_ended(interpreter: Interpreter, targets: Path) -> None:
    """Its stacks arrive when nothing of it can be read any more; its parent has the same code."""
    options = KernelOptions(tree=True, settings=EVERY_STACK)
    with interpreter.spawn(targets / "family.py") as target, following(target.pid, options) as found:
        children = [int(target.ask("fork 2")) for _ in range(5)]
        found.poll()
        births = found.table("births")
        for child in children:
            mine = births[births["pid"] == child]
            frames = [found.stacks[number].frames for number in mine["stack_id"].tolist()]
            assert any(frame.function == "open_some" for stack in frames for frame in stack)
        assert "code_gone" not in found.losses


def test_a_target_without_python_has_no_stacks() -> None:
    with (
        spawn_command(
            ["sh", "-c", "echo ready; read line; exec 9</dev/null; echo done; read line"]
        ) as target,
        following(target.pid) as found,
    ):
        target.ask("go")
        found.poll()
        births = found.table("births")
        assert len(births)
        assert set(births["stack_id"].tolist()) == {0}
        assert found.losses["stack_layout_missing"] == len(births)
