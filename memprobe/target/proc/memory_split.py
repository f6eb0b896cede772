"""Where the memory of a process is, as the kernel counts it."""

from __future__ import annotations

from dataclasses import dataclass

from memprobe.errors import NotPermitted
from memprobe.target.proc.cgroups import MemoryLimit, memory_limit
from memprobe.target.proc.process import Process
from memprobe.target.proc.procfs import parse_status, size_bytes

SMAPS_LIMIT = 256 << 20
"""For kernels without smaps_rollup (before 4.14): about 250,000 mappings."""

PRIVATE = ("Private_Clean", "Private_Dirty", "Private_Hugetlb")


@dataclass(frozen=True, slots=True)
class MemorySplit:
    """The memory of a process; None is what could not be measured."""

    rss_bytes: int | None
    """Resident: in RAM, shared pages counted in full."""

    rss_peak_bytes: int | None
    """The most it has ever been."""

    rss_anonymous_bytes: int | None
    """The part of the resident memory that no file is behind: heaps and stacks."""

    pss_bytes: int | None
    """Shared pages divided by those who share them."""

    uss_bytes: int | None
    """What would be free if the process ended."""

    swap_bytes: int | None
    """What is in swap."""

    vms_bytes: int | None
    """Address space."""

    limit: MemoryLimit | None
    """The cgroup limit that leaves the least room."""


def read_memory_split(process: Process) -> MemorySplit:
    """Read the memory of a process; PSS and USS need the right to look into it."""
    status = process.folder.status()
    rollup = _rollup(process)
    return MemorySplit(
        rss_bytes=size_bytes(status.get("VmRSS")),
        rss_peak_bytes=size_bytes(status.get("VmHWM")),
        rss_anonymous_bytes=size_bytes(status.get("RssAnon")),
        pss_bytes=rollup.get("Pss"),
        uss_bytes=sum(rollup.get(key, 0) for key in PRIVATE) if rollup else None,
        swap_bytes=size_bytes(status.get("VmSwap")),
        vms_bytes=size_bytes(status.get("VmSize")),
        limit=memory_limit(process),
    )


def _rollup(process: Process) -> dict[str, int]:
    """Sum smaps up; the kernel does it itself where it can. Empty if not permitted."""
    try:
        raw = process.folder.read("smaps_rollup", 1 << 16)
    except FileNotFoundError:
        return _summed_smaps(process)
    except NotPermitted:
        return {}
    sizes = {key: size_bytes(value) for key, value in parse_status(raw).items()}
    return {key: size for key, size in sizes.items() if size is not None}


def _summed_smaps(process: Process) -> dict[str, int]:
    try:
        raw = process.folder.read("smaps", SMAPS_LIMIT)
    except (NotPermitted, FileNotFoundError):
        return {}
    return sum_smaps(raw)


def sum_smaps(raw: bytes) -> dict[str, int]:
    """Add up every "Key: n kB" line of smaps."""
    sums: dict[str, int] = {}
    for line in raw.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[2] == b"kB" and fields[1].isdigit():
            key = fields[0].rstrip(b":").decode("ascii", "replace")
            sums[key] = sums.get(key, 0) + int(fields[1]) * 1024
    return sums
