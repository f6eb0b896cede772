"""The engine bcc: the same programs as libbpf's, compiled on this machine; for kernels without BTF."""

from __future__ import annotations

import os

from memprobe.config import Config
from memprobe.sources.bcc.compiling import machine, python_with_bcc
from memprobe.sources.bcc.headers import find_headers
from memprobe.sources.bcc.kit import CompiledHere
from memprobe.sources.kernel.options import KernelOptions
from memprobe.sources.kernel.refusals import refused
from memprobe.sources.kernel.source import KernelSource
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process
from memprobe.target.rights import kernel_calls


def open_engine(process: Process, python: Python | None, config: Config) -> KernelSource:
    """Prepare to see what a process does through probes that are compiled here."""
    check_engine(config)
    kit = CompiledHere(config.run.kernel_headers)
    return KernelSource(process, python, KernelOptions.of(config), kit)


def check_engine(config: Config) -> None:
    """Look for all that it needs, without compiling; raises NotPermitted or NoKernelSupport."""
    try:
        os.close(kernel_calls.load_program(kernel_calls.BPF_PROG_TYPE_KPROBE))
    except OSError as error:
        raise refused("kprobe", error) from None
    machine()
    python_with_bcc()
    find_headers(config.run.kernel_headers)
