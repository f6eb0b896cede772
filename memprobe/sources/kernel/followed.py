"""The processes that are followed: who they are, and the Python in each of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from memprobe.errors import (
    LayoutCheckFailed,
    MemprobeError,
    NotPython,
    ReadFault,
    TargetGone,
    TargetUnsupported,
)
from memprobe.sources.kernel.native_names import NativeNames
from memprobe.sources.kernel.records import Words
from memprobe.sources.kernel.stacks import StackNames
from memprobe.target.binary.runtime import find_runtimes
from memprobe.target.cpython.objects import Objects
from memprobe.target.cpython.python import Python, attach_python
from memprobe.target.cpython.threads import OsThread
from memprobe.target.memory.live import LiveMemory
from memprobe.target.memory.patient import LIMIT_S, PatientMemory
from memprobe.target.proc.facts import THREADS_LIMIT, read_threads
from memprobe.target.proc.mappings import Mapping, read_mappings
from memprobe.target.proc.process import Process, open_process
from memprobe.target.proc.procfs import parse_stat
from memprobe.vocab import Frame, Memory

ATTEMPTS_S = (0.0, 0.01, 0.015, 0.02, 0.03, 0.05, 0.15, 0.4, 1.0, 3.0)
"""How long after exec a Python is looked for: it takes some 20 ms to start, on a busy machine a second.

A failed attempt takes 1 to 2 ms.
"""


@dataclass(slots=True, eq=False)
class Followed:
    """One process that is followed."""

    pid: int
    """In memprobe's own pid namespace."""

    kernel_pid: int
    """As the initial namespace numbers it: the key of the map `targets`."""

    process: Process | None
    """None if it had ended before it could be opened."""

    python: Python | None
    """None if it is no Python, or not yet."""

    names: StackNames | None
    """What names its stacks; shared with its forked children."""

    natives: NativeNames | None = None
    """What names the native functions that its Python code calls."""

    parent: Python | None = None
    """The Python that it was forked from, which has the same code objects at the same addresses."""

    mappings: tuple[Mapping, ...] = ()

    epoch: int = 1
    """The kernel counts it up at exec."""

    owned: list[Callable[[], None]] = field(default_factory=list)
    """What closes what was opened for it."""

    since_s: float = 0.0
    """When it was first followed, or called exec."""

    has_edges: bool = False
    """Whether its allocator and collector are watched, or were found to be not watchable."""

    attempts_left: list[float] = field(default_factory=list)
    """When to look for a Python again: seconds after `exec_s`."""

    reason: str = ""
    """Why there is no Python."""

    @property
    def pythons(self) -> tuple[Python, ...]:
        """Where its code objects may be read."""
        return tuple(one for one in (self.python, self.parent) if one is not None)

    def tids(self) -> list[int]:
        """Its threads, in memprobe's own pid namespace."""
        if self.process is None:
            return []
        names = self.process.folder.entries("task")
        return sorted(int(name) for name in names if name.isdecimal())[:THREADS_LIMIT]

    def close(self) -> None:
        """Let go of what was opened for it."""
        while self.owned:
            self.owned.pop()()
        self.process = self.python = self.parent = self.natives = None

    def native_frame(self, words: Words) -> Frame | None:
        """The native function that one of its threads was in, if it was in one of others' libraries."""
        if self.natives is None and self.process is not None and self.python is not None:
            self.natives = NativeNames(self.process, self.python)
        return None if self.natives is None else self.natives.frame(words)


def forked(parent: Followed, pid: int, kernel_pid: int, now_s: float) -> Followed:
    """A child: a copy of its parent, Python and all."""
    child = Followed(pid, kernel_pid, None, None, parent.names, mappings=parent.mappings)
    child.epoch = parent.epoch
    child.since_s = now_s
    original = parent.python or parent.parent
    try:
        process, memory = _opened(child)
        if original is not None:
            child.python = _same_python(original, memory, process, child.mappings)
    except (MemprobeError, OSError):
        child.close()  # it has ended already
    child.parent = original
    return child


def _same_python(python: Python, memory: Memory, process: Process, mappings: tuple[Mapping, ...]) -> Python:
    """What was verified for the parent holds for its copy."""
    return Python(Objects(memory, python.layout), python.runtime, mappings, _threads(process), {})


def found_running(pid: int, kernel_pid: int, now_s: float) -> Followed:
    """A process that was there before: whatever runs in it has to be found out."""
    one = Followed(pid, kernel_pid, None, None, None)
    one.since_s = now_s
    one.attempts_left = list(ATTEMPTS_S)
    look_for_python(one)
    return one


def descendants(pid: int) -> list[int]:
    """The children of a process that live now, their children, and so on; parents first."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                children.setdefault(parse_stat(file.read()).parent, []).append(int(name))
        except (OSError, ValueError):
            continue
    found = [pid]
    for one in found:
        found += children.get(one, ())
    return found[1:]


def called_exec(followed: Followed, now_s: float) -> None:
    """Another program now: forget the old one, and look for a Python in the new one soon."""
    followed.close()
    followed.names = None
    followed.mappings = ()
    followed.epoch += 1
    followed.since_s = now_s
    followed.has_edges = False
    followed.attempts_left = list(ATTEMPTS_S)


def is_due(followed: Followed, now_s: float) -> bool:
    """Whether it is time to look for a Python again."""
    left = followed.attempts_left
    return bool(left) and now_s >= followed.since_s + left[0]


def look_for_python(followed: Followed) -> bool:
    """Try once to find a Python after exec; True if there is one now."""
    followed.attempts_left.pop(0)
    try:
        process, memory = _opened(followed)
        followed.mappings = read_mappings(process)
        runtimes = find_runtimes(process, followed.mappings, memory)
        followed.python = attach_python(memory, runtimes[0], followed.mappings, _threads(process))
    except (MemprobeError, ReadFault, OSError) as error:
        followed.reason = error.fact if isinstance(error, MemprobeError) else str(error)
        followed.close()
        if isinstance(error, TargetGone) or _is_final(error):
            followed.attempts_left.clear()
        return False
    followed.names = StackNames(followed.python.layout)
    followed.attempts_left.clear()
    return True


def _is_final(error: Exception) -> bool:
    """A Python of the wrong kind stays one; a program may still be loading it, or it starts just now."""
    return isinstance(error, TargetUnsupported) and not isinstance(error, NotPython | LayoutCheckFailed)


def _opened(followed: Followed) -> tuple[Process, Memory]:
    process = open_process(followed.pid)
    followed.owned.append(process.close)
    followed.process = process
    memory = PatientMemory(LiveMemory(process.id, process.pidfd))
    memory.limit_s = LIMIT_S
    followed.owned.append(memory.close)
    return process, memory


def _threads(process: Process) -> list[OsThread]:
    return [OsThread(one.tid, one.tid_inside, one.name) for one in read_threads(process)]


def is_initial_namespace() -> bool:
    """Whether memprobe runs in the initial pid namespace, where kernel pids are its own."""
    # PROC_PID_INIT_INO of include/linux/proc_ns.h
    return os.stat("/proc/self/ns/pid").st_ino == 0xEFFFFFFC
