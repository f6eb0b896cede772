"""Tier 2: what BPF programs see of a process and its children."""

from memprobe.sources.kernel.engine import check_engine, open_engine
from memprobe.sources.kernel.options import KernelOptions, Settings
from memprobe.sources.kernel.source import KernelSource

__all__ = ["KernelOptions", "KernelSource", "Settings", "check_engine", "open_engine"]
