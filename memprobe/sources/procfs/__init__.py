"""The source that needs nothing but /proc, and what may be chosen about it."""

from memprobe.sources.procfs.options import ProcfsOptions
from memprobe.sources.procfs.source import ProcfsSource

__all__ = ["ProcfsOptions", "ProcfsSource"]
