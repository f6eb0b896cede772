"""Stacks by py-spy, where memprobe's own layouts do not hold: what ran when memory had grown."""

from memprobe.sources.py_spy.source import PySpySource

__all__ = ["PySpySource"]
