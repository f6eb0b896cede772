"""One SAMPLE row: what /proc, the cgroup and the collector say of a process at one instant."""

from __future__ import annotations

import os
import time
from typing import TypeAlias

from memprobe.errors import NotPermitted, TargetGone
from memprobe.sources.procfs.pictures import count_descriptors
from memprobe.target.cpython.objects import UNREADABLE
from memprobe.target.cpython.python import Python
from memprobe.target.proc.cgroups import memory_limit, thread_limit
from memprobe.target.proc.handles import read_limit
from memprobe.target.proc.memory_map import MemoryMap, read_memory_map
from memprobe.target.proc.memory_split import read_memory_split
from memprobe.target.proc.process import Process
from memprobe.target.proc.procfs import available_bytes, parse_stat, size_bytes
from memprobe.vocab.rows import Rows, unmeasured

Numbers: TypeAlias = dict[str, int | tuple[int, ...] | None]

NS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

_STATUS = {
    "rss_bytes": "VmRSS",
    "rss_peak_bytes": "VmHWM",
    "rss_anonymous_bytes": "RssAnon",
    "swap_bytes": "VmSwap",
    "vms_bytes": "VmSize",
}
_MINOR_FAULTS, _MAJOR_FAULTS = 7, 9
"""Fields of stat, counted from the state on."""


def take_sample(process: Process, python: Python | None, *, rarely: bool) -> Rows:
    """Return one SAMPLE row; `rarely` adds the numbers that are dear to read.

    Raises a leaf of TargetGone when the process has ended or called exec.
    """
    numbers = {**_from_stat(process), **_from_status(process), **_from_handles(process)}
    if python is not None:
        numbers |= _from_collector(python)
    if rarely:
        numbers |= _rare(process, python)
    return _row(process.pid, numbers)


def _row(pid: int, numbers: Numbers) -> Rows:
    rows = unmeasured(1)
    rows["time_ns"], rows["pid"] = time.monotonic_ns(), pid
    for name, number in numbers.items():
        if number is not None:
            rows[name] = number
    return rows


def _from_stat(process: Process) -> Numbers:
    raw = process.folder.read("stat", 4096)
    try:
        stat, fields = parse_stat(raw), raw.rpartition(b")")[2].split()
    except ValueError:
        raise process.folder.ended() from None
    now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return {
        "age_ns": max(0, now_ns - stat.start_time_ticks * NS_PER_TICK),
        "cpu_ns": (stat.user_ticks + stat.system_ticks) * NS_PER_TICK,
        "threads": stat.threads,
        "minor_faults": int(fields[_MINOR_FAULTS]),
        "major_faults": int(fields[_MAJOR_FAULTS]),
    }


def _from_status(process: Process) -> Numbers:
    status = process.folder.status()
    return {name: size_bytes(status.get(key)) for name, key in _STATUS.items()}


def _from_handles(process: Process) -> Numbers:
    try:
        return {"fds": count_descriptors(process), "fd_limit": read_limit(process, "Max open files")}
    except NotPermitted:
        return {}


def _from_collector(python: Python) -> Numbers:
    try:
        collector = python.collector(count_objects=False)
    except (NotPermitted, TargetGone, *UNREADABLE):
        # Its memory was another program's, or may not be read any more: /proc goes on.
        return {}
    if collector is None:
        return {}
    return {
        "gc_enabled": collector.enabled,
        "gc_counts": collector.counts,
        "gc_thresholds": collector.thresholds,
        "gc_collections": collector.collections,
        "gc_collected": sum(collector.collected),
        "gc_uncollectable": sum(collector.uncollectable),
    }


def _rare(process: Process, python: Python | None) -> Numbers:
    """PSS walks the page tables, the cgroup's limit is searched up the tree, arenas are counted."""
    numbers = _from_cgroup(process) | _from_machine(process)
    whole = read_memory_map(process)
    if whole is None:
        split = read_memory_split(process)
        return numbers | {"pss_bytes": split.pss_bytes, "uss_bytes": split.uss_bytes}
    numbers |= {
        "pss_bytes": whole.pss_bytes,
        "uss_bytes": whole.uss_bytes,
        "native_bytes": whole.heap_bytes,
        "stack_bytes": whole.stack_bytes,
    }
    return numbers if python is None else numbers | _from_arenas(python, whole)


def _from_cgroup(process: Process) -> Numbers:
    limit = memory_limit(process)
    if limit is None:
        return {}
    return {"limit_bytes": limit.limit_bytes, "limit_used_bytes": limit.used_bytes}


def _from_machine(process: Process) -> Numbers:
    threads = thread_limit(process)
    numbers: Numbers = {"available_bytes": available_bytes()}
    return (
        numbers
        if threads is None
        else numbers
        | {
            "thread_limit": threads[0],
            "thread_limit_used": threads[1],
        }
    )


def _from_arenas(python: Python, whole: MemoryMap) -> Numbers:
    """Python's own allocator, and what is left of the anonymous memory without it."""
    try:
        arenas = python.arenas(whole.mappings)
    except (NotPermitted, TargetGone, *UNREADABLE):
        return {}
    if arenas.size_bytes is None or arenas.free_bytes is None:
        return {}
    return {
        "python_bytes": arenas.size_bytes - arenas.free_bytes,
        "arena_free_bytes": arenas.free_bytes,
        "mmap_bytes": max(0, whole.other_bytes - arenas.size_bytes),
    }
