"""The engine libbpf: memprobe's compiled programs, loaded through libbpf."""

from __future__ import annotations

from memprobe.config import Config
from memprobe.sources.kernel.options import KernelOptions
from memprobe.sources.kernel.programs import Programs
from memprobe.sources.kernel.source import KernelSource
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process


def open_engine(process: Process, python: Python | None, config: Config) -> KernelSource:
    """Prepare to see what a process does through probes in the kernel."""
    return KernelSource(process, python, KernelOptions.of(config))


def check_engine(config: Config) -> None:
    """Load the programs that are always needed; raises NotPermitted or NoKernelSupport."""
    programs = Programs(KernelOptions(handles=False, growth=False))
    try:
        programs.load()
    finally:
        programs.close()
