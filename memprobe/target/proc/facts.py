"""Everything that /proc says of one process, without looking into its memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from memprobe.errors import NotPermitted
from memprobe.target.proc.container import ContainerFacts, pid_inside, read_container
from memprobe.target.proc.handles import Handles, read_handles
from memprobe.target.proc.memory_split import MemorySplit, read_memory_split
from memprobe.target.proc.process import Process
from memprobe.target.proc.procfs import parse_stat, parse_status

Part = TypeVar("Part")

THREADS_LIMIT = 4096
"""Threads that are looked at, 60 us each; more are counted only."""

ARGUMENTS_LIMIT = 64 << 10
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ThreadFacts:
    """One thread as the kernel knows it."""

    tid: int
    """In memprobe's pid namespace."""

    tid_inside: int
    """In the innermost pid namespace of the target: what the target itself calls it."""

    name: str
    """At most 15 bytes, made printable."""

    state: str
    """R, S, D, T ..."""


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """One process from outside; None is what memprobe may not see."""

    pid: int
    """In memprobe's pid namespace."""

    pid_inside: int
    """In its own pid namespace."""

    name: str
    """The command name, made printable."""

    started_at: float
    """Seconds since the epoch."""

    uptime_s: float
    """Seconds since it started."""

    cpu_s: float
    """CPU time of all its threads."""

    cmdline: tuple[str, ...]
    """Its arguments, as it shows them; it may have changed them."""

    exe: str | None
    """The path of its program as it sees it."""

    uid: int | None
    """The effective user id."""

    thread_count: int
    """How many threads it has."""

    threads: tuple[ThreadFacts, ...]
    """Those that were looked at, in order of tid."""

    memory: MemorySplit | None
    """Where its memory is."""

    handles: Handles | None
    """Its open handles."""

    container: ContainerFacts | None
    """Hints of a container."""

    denied: tuple[str, ...]
    """What was not permitted: one fact each."""


def describe(process: Process, *, arguments: bool = True, contents: bool = True) -> ProcessFacts:
    """Collect what /proc says; what is not permitted is left out and named in `denied`.

    Without `arguments` nothing is read that lies in its memory; without `contents` not what it has open and
    where its memory is, which takes the longer the more it has.
    """
    denied: list[str] = []

    def permitted(read: Callable[[], Part]) -> Part | None:
        try:
            return read()
        except NotPermitted as error:
            denied.append(error.fact)
            return None

    stat, status = process.folder.stat(), process.folder.status()
    uptime_s = max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - stat.start_time_ticks / TICKS_PER_SECOND)
    return ProcessFacts(
        pid=process.pid,
        pid_inside=pid_inside(status, process.pid),
        name=stat.name,
        started_at=time.time() - uptime_s,
        uptime_s=uptime_s,
        cpu_s=(stat.user_ticks + stat.system_ticks) / TICKS_PER_SECOND,
        cmdline=(permitted(lambda: read_cmdline(process)) or ()) if arguments else (),
        exe=permitted(lambda: read_exe(process)),
        uid=_effective_uid(status),
        thread_count=stat.threads,
        threads=permitted(lambda: read_threads(process)) or (),
        memory=permitted(lambda: read_memory_split(process)) if contents else None,
        handles=permitted(lambda: read_handles(process)) if contents else None,
        container=permitted(lambda: read_container(process)),
        denied=tuple(denied),
    )


def read_cmdline(process: Process) -> tuple[str, ...]:
    """Read the arguments; a target under userfaultfd can make this wait, see `killable`."""
    raw = process.folder.read("cmdline", ARGUMENTS_LIMIT)
    return tuple(part.decode("utf-8", "surrogateescape") for part in raw.rstrip(b"\0").split(b"\0") if raw)


def read_exe(process: Process) -> str | None:
    """Read the path of the program, without the mark of a deleted file."""
    try:
        return process.folder.link("exe").removesuffix(" (deleted)")
    except FileNotFoundError:
        return None


def read_threads(process: Process) -> tuple[ThreadFacts, ...]:
    """Look at the threads; one that ends meanwhile is left out."""
    tids = sorted(int(name) for name in process.folder.entries("task") if name.isdecimal())
    threads = (_thread(process, tid) for tid in tids[:THREADS_LIMIT])
    return tuple(thread for thread in threads if thread is not None)


def _thread(process: Process, tid: int) -> ThreadFacts | None:
    try:
        # Not through ProcFolder.read: a thread that ends is no reason to think that the process did.
        stat = parse_stat(_task_file(process, tid, "stat"))
        inside = pid_inside(parse_status(_task_file(process, tid, "status")), tid)
    except (OSError, ValueError):
        return None
    return ThreadFacts(tid, inside, stat.name, stat.state)


def _task_file(process: Process, tid: int, name: str) -> bytes:
    flags = os.O_RDONLY | os.O_CLOEXEC
    descriptor = os.open(f"task/{tid}/{name}", flags, dir_fd=process.folder.descriptor)
    try:
        return os.read(descriptor, 1 << 16)
    finally:
        os.close(descriptor)


def _effective_uid(status: dict[str, str]) -> int | None:
    numbers = status.get("Uid", "").split()
    return int(numbers[1]) if len(numbers) > 1 else None
