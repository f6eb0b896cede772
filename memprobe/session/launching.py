"""A run on a program from its first instruction to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from memprobe.errors import NotPython, TargetGone
from memprobe.session.arming import Armed
from memprobe.session.folding import Judge
from memprobe.session.options import Options
from memprobe.session.program import LONG_S, Program
from memprobe.session.run import Session
from memprobe.target.inspection.opening import Opened
from memprobe.target.proc.process import open_process


@contextmanager
def launched(pid: int, release: Callable[[], None], options: Options, *watchers: Judge) -> Iterator[Session]:
    """Watch a program that waits until it is released; raises NotPython if no Python appears in it."""
    with ExitStack() as held:
        armed = Armed(held.enter_context(open_process(pid)), None, options.config)
        held.callback(armed.close)
        release()
        program = held.enter_context(_program(pid))
        target = _first_python(program, armed)
        run = Session(target, options, *watchers, program=program, armed=armed)
        held.callback(run.close)
        run.start()
        yield run


@contextmanager
def _program(pid: int) -> Iterator[Program]:
    try:
        program = Program(pid)
    except TargetGone:
        raise _none_appeared() from None
    try:
        yield program
    finally:
        program.close()


def _first_python(program: Program, armed: Armed) -> Opened:
    """Wait for a Python; what happens meanwhile is kept.

    The kernel comes first: until it knows the Python, what is opened has no line.
    """
    due_s = time.monotonic() + LONG_S
    while not program.root.has_ended():
        armed.gather()
        if armed.knows_python or time.monotonic() >= due_s:
            due_s = time.monotonic() + LONG_S
            if (found := program.find()) is not None:
                return found
        armed.wait(program.pause_s)
    raise program.refused or _none_appeared()


def _none_appeared() -> NotPython:
    return NotPython("no Python was seen in it before it ended")
