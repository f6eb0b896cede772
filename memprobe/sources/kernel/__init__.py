"""Tier 2: what BPF programs see of a process and its children."""

from memprobe.sources.kernel.options import KernelOptions, Settings
from memprobe.sources.kernel.source import KernelSource

__all__ = ["KernelOptions", "KernelSource", "Settings"]
