"""The engine ptrace: handle events by system calls that are traced in short windows."""

from __future__ import annotations

from memprobe.config import Config
from memprobe.sources.ptrace.options import PtraceOptions
from memprobe.sources.ptrace.source import PtraceSource
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process, open_process
from memprobe.target.rights.rights import sleeping_child


def open_engine(process: Process, python: Python | None, config: Config) -> PtraceSource:
    """Prepare to trace the system calls of a process now and then."""
    return PtraceSource(process, python, PtraceOptions.of(config))


def check_engine(config: Config) -> None:
    """Trace a child of memprobe's own for an instant; raises NotPermitted or NoKernelSupport."""
    with sleeping_child() as child, open_process(child) as process:
        source = PtraceSource(process, None, PtraceOptions.of(config))
        try:
            source.start()
        finally:
            source.close()
