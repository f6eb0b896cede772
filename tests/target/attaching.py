"""A running target with memprobe attached to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from memprobe.target.binary.runtime import find_local_symbol
from memprobe.target.cpython.python import Python, attach_python
from memprobe.target.cpython.threads import OsThread
from memprobe.target.proc.facts import read_threads
from memprobe.target.proc.process import Process
from target.looking import looked_at


@contextmanager
def attached(pid: int) -> Iterator[Python]:
    """Attach to the Python of a process, with all that a command would give."""
    with looked_at(pid) as look:
        (runtime,) = look.runtimes()
        arenas = find_local_symbol(look.process, runtime, look.mappings, look.memory, "arenas")
        yield attach_python(
            look.memory,
            runtime,
            look.mappings,
            threads_of(look.process),
            symbols={} if arenas is None else {"arenas": arenas},
        )


def threads_of(process: Process) -> list[OsThread]:
    return [OsThread(one.tid, one.tid_inside, one.name) for one in read_threads(process)]
