"""The Python processes of this machine, each with whether memprobe can look into it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from memprobe.errors import (
    KernelThread,
    MemprobeError,
    NotPermitted,
    NotPython,
    TargetBlocksReading,
    TargetGone,
)
from memprobe.target.binary.runtime import check_supported, find_runtimes
from memprobe.target.inspection.plain_data import as_plain, from_plain
from memprobe.target.killable import Outcome, call_each
from memprobe.target.memory.fake import FakeMemory
from memprobe.target.memory.live import LiveMemory
from memprobe.target.proc.facts import read_cmdline
from memprobe.target.proc.mappings import read_mappings
from memprobe.target.proc.process import Process, open_process

BLOCKED_LIMIT_S = 1.0
"""One process that holds its reader up must not keep doctor from the others."""

COMMAND_LIMIT = 200
_PYTHON_NAME = re.compile(r"(python|pypy)[0-9.]*$")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A process that is, or seems to be, a Python."""

    pid: int
    name: str
    """The command name, made printable."""

    command: str
    """The start of its command line."""

    python: str | None
    """Its version, if it could be told."""

    binary: str | None
    """What has the runtime: the program itself or a libpython."""

    tier: int | None
    """The tier at which memprobe can look at it; None if not at all."""

    obstacle: str | None
    """What is in the way of more."""

    remedy: str | None
    """What takes it out of the way."""


def python_processes() -> list[Candidate]:
    """Every process of this machine that is a Python or goes by its name, in order of pid."""
    pids = sorted(int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) != os.getpid())
    outcomes = call_each(_look, pids, blocked_limit_s=BLOCKED_LIMIT_S)
    return [found for pid, outcome in zip(pids, outcomes, strict=False) for found in _found(pid, outcome)]


def _found(pid: int, outcome: Outcome) -> Iterator[Candidate]:
    if isinstance(outcome.error, TargetBlocksReading):
        error = outcome.error
        yield Candidate(pid, "", "", None, None, None, error.fact, error.remedy)
    elif outcome.result is not None:
        yield from_plain(Candidate, outcome.result)


def _look(pid: int) -> dict[str, Any] | None:
    """A Candidate as plain data; None if the process is none of Python's."""
    try:
        with open_process(pid) as process:
            plain: dict[str, Any] | None = as_plain(examine(process))
            return plain
    except (KernelThread, TargetGone, NotPermitted):
        return None


def examine(process: Process) -> Candidate | None:
    """Tell whether a process is a Python, and what is in the way of looking into it."""
    try:
        mappings = read_mappings(process)
        with _memory(process) as (memory, denied):
            runtimes = find_runtimes(process, mappings, memory)
    except NotPython:
        return None
    except NotPermitted as error:
        # Only the name tells: whoever may not read the mappings of a process sees no more of it.
        return _candidate(process, error) if _PYTHON_NAME.match(process.name) else None
    except MemprobeError as error:
        return None if isinstance(error, TargetGone) else _candidate(process, error)
    version, binary = runtimes[0].version.text, runtimes[0].path
    try:
        check_supported(runtimes[0])
    except MemprobeError as error:
        return _candidate(process, error, python=version, binary=binary)
    return _candidate(process, denied, python=version, binary=binary, tier=1 if denied is None else 0)


@contextmanager
def _memory(process: Process) -> Iterator[tuple[LiveMemory | FakeMemory, NotPermitted | None]]:
    """The memory, or one without a single byte and why."""
    try:
        live = LiveMemory(process.id, process.pidfd)
    except NotPermitted as error:
        yield FakeMemory({}, pid=process.pid), error
        return
    with live:
        yield live, None


def _candidate(
    process: Process,
    error: MemprobeError | None,
    *,
    python: str | None = None,
    binary: str | None = None,
    tier: int | None = None,
) -> Candidate:
    return Candidate(
        pid=process.pid,
        name=process.name,
        command=_command(process),
        python=python,
        binary=binary,
        tier=tier,
        obstacle=error.fact if error else None,
        remedy=error.remedy or None if error else None,
    )


def _command(process: Process) -> str:
    try:
        return " ".join(read_cmdline(process))[:COMMAND_LIMIT]
    except MemprobeError:
        return ""
