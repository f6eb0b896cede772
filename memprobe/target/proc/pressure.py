"""How near a process is to being killed for its memory: the limit, stalls, and what the kernel has done.

Where no cgroup limits it, the machine does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from memprobe.errors import MemprobeError
from memprobe.target.proc.cgroups import memory_limit, number_in, text_in
from memprobe.target.proc.process import Process

_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "memory.oom_control")
_V2 = ("memory.max", "memory.current", "inactive_file", "memory.events")
_KIB = 1024


@dataclass(frozen=True, slots=True)
class Pressure:
    """One reading; what could not be read is None."""

    group: str
    """The cgroup with the nearest limit; "" for the machine."""

    limit_bytes: int
    used_bytes: int
    """Without file cache that the kernel can drop at once."""

    stalled_pct: float | None = None
    """Share of the last ten seconds in which all tasks waited for memory (PSI, full)."""

    events: dict[str, int] = field(default_factory=dict)
    """The kernel's counters: limit hits, kills."""

    version: int = 2
    """Of the interface of cgroups, 1 or 2."""

    @property
    def room_bytes(self) -> int:
        """What is left."""
        return self.limit_bytes - self.used_bytes

    @property
    def kills(self) -> int | None:
        """How many processes the kernel has killed for memory there; None if it does not say."""
        return self.events.get("oom_kill")


def memory_pressure(process: Process) -> Pressure | None:
    """Read what the nearest limit of a process says now; None if nothing can be read."""
    try:
        limit = memory_limit(process)
    except (MemprobeError, OSError):
        return machine_pressure("/proc")
    return machine_pressure("/proc") if limit is None else group_pressure(limit.folder, limit.version)


def pressure_again(before: Pressure) -> Pressure | None:
    """Read the same group once more, or the machine: a process that is gone does not say where it was."""
    return group_pressure(before.group, before.version) if before.group else machine_pressure("/proc")


def group_pressure(folder: str, version: int, machine: str = "/proc") -> Pressure | None:
    """Read a memory cgroup; version 1 has no stalls of its own, so there the machine's count."""
    limit_file, used_file, cache_key, events_file = _V1 if version == 1 else _V2
    limit, used = number_in(f"{folder}/{limit_file}"), number_in(f"{folder}/{used_file}")
    if limit is None or used is None:
        return None
    cache = _pairs(f"{folder}/memory.stat").get(cache_key, 0)
    stalls = f"{machine}/pressure/memory" if version == 1 else f"{folder}/memory.pressure"
    events = _pairs(f"{folder}/{events_file}")
    if version == 1:
        events["max"] = number_in(f"{folder}/memory.failcnt") or 0
    return Pressure(folder, limit, max(0, used - cache), _stalled_pct(stalls), events, version)


def machine_pressure(machine: str) -> Pressure | None:
    """Read the memory of the whole machine."""
    sizes = {line.partition(":")[0]: line.split()[1:2] for line in text_in(f"{machine}/meminfo").splitlines()}
    total, available = (int(*sizes.get(name, ["0"])) * _KIB for name in ("MemTotal", "MemAvailable"))
    if not total or not available:
        return None
    kills = _pairs(f"{machine}/vmstat").get("oom_kill")
    events = {} if kills is None else {"oom_kill": kills}
    return Pressure("", total, total - available, _stalled_pct(f"{machine}/pressure/memory"), events)


def _stalled_pct(path: str) -> float | None:
    for line in text_in(path).splitlines():
        if line.startswith("full avg10="):
            return float(line.split()[1].partition("=")[2])
    return None


def _pairs(path: str) -> dict[str, int]:
    """Parse "name number" lines."""
    fields = (line.split() for line in text_in(path).splitlines())
    return {one[0]: int(one[1]) for one in fields if len(one) == 2 and one[1].isdecimal()}
