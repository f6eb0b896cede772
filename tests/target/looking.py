"""Looking at a target from a test: with all rights, with fewer, or as somebody else."""

from __future__ import annotations

import ctypes
import os
import pickle
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

import pythons
from memprobe.target.binary.runtime import RuntimeLocation, find_runtimes
from memprobe.target.memory.live import LiveMemory
from memprobe.target.proc.mappings import Mapping, read_mappings
from memprobe.target.proc.process import Process, open_process

Result = TypeVar("Result")

NOBODY = 65534
WAIT = "print('ready', flush=True); input()"
"""What a target does that only has to be there."""

PR_SET_DUMPABLE = 4
CAP_SYS_ADMIN, CAP_CHECKPOINT_RESTORE = 21, 40

LIBRARY_WITH_LOCALS = """
#include <stdio.h>
static long hidden_1 = 42;
static char in_a_section[64] __attribute__((section(".PyRuntime"), used)) = {1};
long answer(void) { puts(in_a_section); return ++hidden_1; }
""" + "".join(f"int variable_{number} = {number};\n" for number in range(1, 121))
"""Many exported variables, and two that only the full symbol table knows."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@dataclass(frozen=True)
class Look:
    """One process, held on to."""

    process: Process
    mappings: tuple[Mapping, ...]
    memory: LiveMemory

    def runtimes(self) -> tuple[RuntimeLocation, ...]:
        return find_runtimes(self.process, self.mappings, self.memory)


@contextmanager
def looked_at(pid: int) -> Iterator[Look]:
    with open_process(pid) as process, LiveMemory(process.id, process.pidfd) as memory:
        yield Look(process, read_mappings(process), memory)


def runtimes_of(pid: int) -> tuple[RuntimeLocation, ...]:
    with looked_at(pid) as look:
        return look.runtimes()


def in_a_child(function: Callable[[], Result]) -> Result:
    """Call a function in a fork, so that it may give up rights; its exception comes back too."""
    ready, answer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            outcome: tuple[Result | None, Exception | None] = function(), None
        except Exception as error:  # noqa: BLE001
            outcome = None, error
        with os.fdopen(answer, "wb") as pipe:
            pickle.dump(outcome, pipe)
        os._exit(0)
    os.close(answer)
    with os.fdopen(ready, "rb") as pipe:
        result, failure = pickle.load(pipe)
    os.waitpid(child, 0)
    if failure is not None:
        raise failure
    return result  # type: ignore[no-any-return]


def as_nobody(function: Callable[[], Result]) -> Result:
    """Call a function as a user without any right."""

    def drop_and_call() -> Result:
        os.setgroups([])
        os.setresuid(NOBODY, NOBODY, NOBODY)
        # As a program started by that user is: its own children can be read.
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        return function()

    return in_a_child(drop_and_call)


def without_map_files(function: Callable[[], Result]) -> Result:
    """Call a function that may read memory, but not /proc/<pid>/map_files."""

    def drop_and_call() -> Result:
        drop_capabilities(CAP_SYS_ADMIN, CAP_CHECKPOINT_RESTORE)
        return function()

    return in_a_child(drop_and_call)


def drop_capabilities(*numbers: int) -> None:
    """Give capabilities of this process up; there is no way back."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    words = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, words) == 0
    for number in numbers:
        for kind in range(3):
            words[number // 32 * 3 + kind] &= ~(1 << number % 32)
    assert libc.capset(header, words) == 0, os.strerror(ctypes.get_errno())


@contextmanager
def running(*command: str | Path) -> Iterator[pythons.Target]:
    with pythons.spawn_command([str(part) for part in command]) as target:
        yield target


def child_of(pid: int) -> int:
    """The pid on this machine of the only child of a process, such as unshare --fork."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def of_kind(kind: str) -> pythons.Interpreter:
    """An interpreter of this machine that is "shared" or "static" or "pypy"."""
    for one in pythons.discovered():
        known = one.implementation == "pypy" or one.version in pythons.SUPPORTED
        if known and one.root is None and kind in (one.implementation, one.name.rpartition("-")[2]):
            return one
    pytest.skip(f"no {kind} interpreter on this machine")


def shared_library(interpreter: pythons.Interpreter) -> Path:
    """The libpython that an interpreter loads."""
    major, minor = interpreter.version
    (library,) = interpreter.path.parent.parent.glob(f"lib/libpython{major}.{minor}.so.1.0")
    return library


def compiled(folder: Path, name: str, source: str, *options: str) -> Path:
    """Compile a C program or, with -shared among the options, a library."""
    code, binary = folder / f"{name}.c", folder / name
    code.write_text(source)
    subprocess.run(["gcc", "-o", binary, code, *options], check=True)
    return binary
