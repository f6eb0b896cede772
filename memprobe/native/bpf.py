"""BPF objects through libbpf. Importing this raises ImportError where libbpf is not installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memprobe.native._bpf import (
    BpfError,
    BpfObject,
    Ring,
    detach_aside,
    enable_statistics,
    has_helper,
    open_tracefs,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "BpfError",
    "BpfObject",
    "Ring",
    "detach_aside",
    "enable_statistics",
    "has_helper",
    "object_path",
    "open_tracefs",
    "source_path",
    "table_path",
]


def object_path(name: str) -> Path:
    """Where the compiled form of `probes/<name>.bpf.c` is."""
    from pathlib import Path

    return Path(__file__).parent / "objects" / f"{name}.bpf.o"


def source_path(name: str) -> Path:
    """Where the copy of `probes/<name>.bpf.c` is, with the headers that it includes around it."""
    return object_path("").parent / "probes" / f"{name}.bpf.c"


def table_path() -> Path:
    """Where the table of all programs is: the copy of `probes/programs.json`."""
    return object_path("").with_name("programs.json")
