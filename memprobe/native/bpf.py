"""BPF objects through libbpf. Importing this raises ImportError where libbpf is not installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memprobe.native._bpf import BpfError, BpfObject

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BpfError", "BpfObject", "object_path"]


def object_path(name: str) -> Path:
    """Where the compiled form of `probes/<name>.bpf.c` is."""
    from pathlib import Path

    return Path(__file__).parent / "objects" / f"{name}.bpf.o"
