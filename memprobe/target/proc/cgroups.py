"""Which cgroup a process is in, and which limits of memory and of threads it runs into first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from memprobe.errors import NotPermitted
from memprobe.target.proc.process import Process
from memprobe.target.proc.procfs import read_descriptor

DEPTH_LIMIT = 64
UNLIMITED = 1 << 62
"""Version 1 writes "no limit" as the largest multiple of a page below 2**63."""

MOUNTINFO_LIMIT = 4 << 20

_FILES = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"), 2: ("memory.max", "memory.current")}


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """A memory limit that a cgroup puts on a process."""

    limit_bytes: int
    """What the cgroup may use."""

    used_bytes: int | None
    """What it uses, page cache included."""

    group: str
    """The path of the cgroup that has the limit, as memprobe sees it."""

    version: int
    """1 or 2, the version of the interface."""

    folder: str = ""
    """Where its files are."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A mounted cgroup hierarchy that has the memory controller."""

    version: int
    """1 or 2."""

    mount_root: str
    """The cgroup that is the root of the mount."""

    folder: str
    """Where it can be read."""


def cgroup_paths(text: str) -> dict[str, str]:
    """Parse /proc/<pid>/cgroup: controller to path; version 2 has the name ""."""
    paths = {}
    for line in text.splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


def memory_limit(process: Process) -> MemoryLimit | None:
    """Find the limit of the target's cgroup or one above it that leaves the least room."""
    paths = cgroup_paths(process.folder.read("cgroup").decode("utf-8", "replace"))
    # First as memprobe sees the hierarchy; from inside a container only the target's own view may help.
    for hierarchy in (*_own_hierarchies(), *_target_hierarchies(process)):
        path = paths.get("memory" if hierarchy.version == 1 else "")
        found = None if path is None else nearest_limit(hierarchy, path)
        if found is not None:
            return found
    return None


def thread_limit(process: Process) -> tuple[int, int] | None:
    """Return the limit of threads that leaves the least room, and how many there are: (limit, used).

    Limits are those of cgroups of version 2, from the target's own upwards, and that of the machine.
    """
    path = cgroup_paths(process.folder.read("cgroup").decode("utf-8", "replace")).get("")
    groups = [
        group
        for hierarchy in _own_hierarchies()
        if path is not None and hierarchy.version == 2
        for group in _upwards(hierarchy, path)
    ]
    limits = [(number_in(f"{group}/pids.max"), number_in(f"{group}/pids.current")) for group in groups]
    limits.append((number_in("/proc/sys/kernel/threads-max"), _threads_of_all()))
    known = [(limit, used) for limit, used in limits if limit is not None and used is not None]
    return min(known, key=lambda one: one[0] - one[1], default=None)


def _threads_of_all() -> int | None:
    """Return how many threads there are on the machine: loadavg has "running/all"."""
    fields = text_in("/proc/loadavg").split()
    total = fields[3].partition("/")[2] if len(fields) > 3 else ""
    return int(total) if total.isdecimal() else None


def nearest_limit(hierarchy: Hierarchy, path: str) -> MemoryLimit | None:
    """Walk from a cgroup up to the root of the mount; return the limit with the least room."""
    limits = [limit for group in _upwards(hierarchy, path) if (limit := _limit_of(hierarchy, group))]
    return min(limits, key=_room, default=None)


def _room(limit: MemoryLimit) -> int:
    return limit.limit_bytes - (limit.used_bytes or 0)


def _upwards(hierarchy: Hierarchy, path: str) -> Iterator[str]:
    """Yield folders from the cgroup upwards; nothing if the mount does not show the cgroup."""
    inside = os.path.relpath(path or "/", hierarchy.mount_root)
    if inside.split("/", 1)[0] == "..":
        return
    for _ in range(DEPTH_LIMIT):
        yield os.path.normpath(f"{hierarchy.folder}/{inside}")
        if inside in (".", ""):
            return
        inside = os.path.dirname(inside) or "."


def _limit_of(hierarchy: Hierarchy, folder: str) -> MemoryLimit | None:
    limit_file, used_file = _FILES[hierarchy.version]
    limit = number_in(f"{folder}/{limit_file}")
    if hierarchy.version == 1 and limit is not None and limit >= UNLIMITED:
        # The limit of an ancestor that a container cannot see shows only here.
        limit = _hierarchical_limit(folder)
    if limit is None or limit >= UNLIMITED:
        return None
    group = folder.removeprefix(hierarchy.folder) or "/"
    return MemoryLimit(limit, number_in(f"{folder}/{used_file}"), group, hierarchy.version, folder)


def _hierarchical_limit(folder: str) -> int | None:
    for line in text_in(f"{folder}/memory.stat").splitlines():
        key, _, value = line.partition(" ")
        if key == "hierarchical_memory_limit" and value.isdecimal():
            return int(value)
    return None


def number_in(path: str) -> int | None:
    """The number that a small file of the kernel holds; None if it holds none."""
    text = text_in(path).strip()
    return int(text) if text.isdecimal() else None


def text_in(path: str) -> str:
    """A small file of the kernel; "" if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 16)
    except OSError:
        return ""


def _own_hierarchies() -> list[Hierarchy]:
    return hierarchies(_mountinfo("/proc/self/mountinfo"), "")


def _target_hierarchies(process: Process) -> list[Hierarchy]:
    try:
        text = process.folder.read("mountinfo", MOUNTINFO_LIMIT).decode("utf-8", "replace")
    except (NotPermitted, OSError):
        return []
    return hierarchies(text, f"{process.folder.path}/root")


def _mountinfo(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return read_descriptor(descriptor, MOUNTINFO_LIMIT).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def hierarchies(mountinfo: str, prefix: str) -> list[Hierarchy]:
    """Find the cgroup mounts with the memory controller in a mountinfo; `prefix` goes before paths."""
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")
        if len(fields) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup2" or (kind[0] == "cgroup" and "memory" in kind[2].split(",")):
            version = 2 if kind[0] == "cgroup2" else 1
            found.append(Hierarchy(version, _unescaped(fields[3]), prefix + _unescaped(fields[4])))
    return found


def _unescaped(path: str) -> str:
    # The kernel writes a blank in a mountinfo path as \040.
    return path.replace("\\040", " ")
