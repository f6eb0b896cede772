"""The engines: what may see the events of a process, and what each of them cannot see."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

AUTO = "auto"
"""The best that works, found by trying."""

LIBBPF, BCC, PTRACE, PROC = "libbpf", "bcc", "ptrace", "proc"

ENGINES: Mapping[str, str] = MappingProxyType(
    {
        LIBBPF: "probes in the kernel: where handles come from, where memory grows, who fills what grows",
        BCC: "the same probes, compiled here: for kernels without BTF",
        PTRACE: "short windows in which system calls are traced: no line of what is opened between them",
        PROC: "numbers and open handles from /proc: no lines, and not what comes and goes between two looks",
    }
)
"""What each sees and lacks, the best first."""
