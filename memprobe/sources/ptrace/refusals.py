"""Why a process may not be traced, and what helps."""

from __future__ import annotations

import errno
import os

from memprobe.errors import MemprobeError, NoKernelSupport, NotPermitted
from memprobe.native.trace import End, Outcome
from memprobe.target.proc.process import Process
from memprobe.target.proc.procfs import parse_status
from memprobe.target.rights.rights import refused_tracing


def refusal(process: Process, outcome: Outcome) -> MemprobeError:
    """The error for a window that could not be."""
    if outcome.end == End.UNSUPPORTED:
        return NoKernelSupport(
            "this kernel does not tell a tracer which system call it is (PTRACE_GET_SYSCALL_INFO: "
            f"{os.strerror(outcome.errno)})",
            remedy="use Linux 5.3 or newer, or: --engine proc",
        )
    tracer = _tracer(outcome.thread)
    if tracer:
        return NotPermitted(
            f"process {process.pid} is traced already, by process {tracer}",
            remedy=f"end that one (gdb, strace, ...: ps {tracer}), or do without lines: --engine proc",
        )
    if outcome.errno in (errno.EPERM, errno.EACCES):
        return refused_tracing(process)
    return NoKernelSupport(
        f"ptrace does not work here: {os.strerror(outcome.errno)}",
        remedy="choose another engine: --engine proc",
    )


def no_tracer(error: OSError) -> NoKernelSupport:
    """The error where the process that traces cannot be made."""
    return NoKernelSupport(
        f"memprobe cannot start the process that traces ({error.strerror})",
        remedy="allow memprobe more processes (ulimit -u, pids.max) or memory, or: --engine proc",
    )


def _tracer(thread: int) -> str:
    """Who traces a thread; empty if nobody does."""
    try:
        with open(f"/proc/{thread}/status", "rb") as file:
            tracer = parse_status(file.read()).get("TracerPid", "0")
    except OSError:
        return ""
    return "" if tracer == "0" else tracer
