"""Which process is meant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TargetId:
    """A process that cannot be mistaken for another: its pid and when it started."""

    pid: int
    """The pid in memprobe's own pid namespace."""

    start_time_ticks: int
    """Clock ticks after boot, field 22 of /proc/<pid>/stat."""
