"""Tier 2: what BPF programs see of a process and its children.

The source itself is imported when it is asked for: it needs libbpf, and what names stacks here does not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memprobe.sources.kernel.options import KernelOptions, Settings
    from memprobe.sources.kernel.source import KernelSource

__all__ = ["KernelOptions", "KernelSource", "Settings"]

_MODULES = {"KernelOptions": "options", "Settings": "options", "KernelSource": "source"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
