"""What /proc says of memprobe's own process, and of the machine; asked several times a second."""

from __future__ import annotations

import os

from memprobe.target.proc.procfs import read_descriptor

_NS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_BUSY = (1, 2, 3, 6, 7)
"""Words of the first line of /proc/stat: user, nice, system, irq, softirq."""


def resident_bytes() -> int:
    """Return the resident memory of memprobe's own process."""
    return int(_read("/proc/self/statm").split()[1]) * _PAGE_BYTES


def machine_busy_ns() -> int:
    """Return the CPU time of everything on this machine."""
    words = _read("/proc/stat").split(maxsplit=max(_BUSY) + 1)
    return sum(int(words[place]) for place in _BUSY) * _NS_PER_TICK


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return read_descriptor(descriptor, 1024)
    finally:
        os.close(descriptor)
