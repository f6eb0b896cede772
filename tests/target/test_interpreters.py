"""Interpreters beside the main one, and their threads."""

from __future__ import annotations

import json
from pathlib import Path

from memprobe.target.cpython.python import Python
from memprobe.vocab import Stack
from patience import until
from pythons import Interpreter
from target.attaching import attached


def test_only_the_main_interpreter(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "named_threads.py") as target, attached(target.pid) as python:
        (only,) = python.interpreters()
        assert (only.id, only.is_main) == (0, True)
        assert {thread.interpreter for thread in python.threads(stacks=False)} == {0}


def guest_of(python: Python) -> Stack:
    """The stack of the thread that runs code in another interpreter."""
    guests = (thread.stack for thread in python.threads() if thread.interpreter == 1)
    return next(stack for stack in guests if stack and stack.frames)


def test_subinterpreters(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "subinterpreters.py") as target, attached(target.pid) as python:
        found = python.interpreters()
        until(lambda: guest_of(python).frames[0].line == 5)  # it has said that it comes to there
        threads = python.threads()
        truth = json.loads(target.ask("threads"))
    assert [one.id for one in found] == [0, 1, 2]
    assert [one.is_main for one in found] == [True, False, False]
    guests = [thread for thread in threads if thread.interpreter == 1]
    (guest,) = (thread for thread in guests if thread.stack and thread.stack.frames)
    assert guest.stack is not None
    assert [(frame.function, frame.line) for frame in guest.stack.frames] == [("inside", 5), ("<module>", 6)]
    (tid,) = (tid for tid, name, _ in truth.values() if name == "guest")
    # To 3.12 the interpreter's only thread state says which thread made it, not which one runs it.
    assert guest.tid == (tid if interpreter.version >= (3, 13) else None)
