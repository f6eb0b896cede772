"""Hints that a process runs in a container: its namespaces, its root and its cgroups."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from memprobe.errors import NotPermitted
from memprobe.target.proc.cgroups import cgroup_paths
from memprobe.target.proc.process import Process
from memprobe.target.proc.procfs import printable

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")

_ID = r"(?P<id>[0-9a-f]{12,64})"
PATTERNS = (
    ("podman", re.compile(rf"/libpod-(?:conmon-)?{_ID}")),
    ("kubernetes", re.compile(rf"/kubepods[^:]*/(?:[a-z-]+-)?{_ID}(?:\.scope)?(?:/|$)")),
    ("kubernetes", re.compile(r"/kubepods(?P<id>)")),
    ("docker", re.compile(rf"/docker[/-]{_ID}")),
    ("containerd", re.compile(rf"/(?:cri-containerd-|containerd[/-]){_ID}")),
    ("cri-o", re.compile(rf"/crio-{_ID}")),
    ("ecs", re.compile(rf"/ecs/(?:[^/]+/)*{_ID}")),
    ("lxc", re.compile(r"/lxc(?:\.payload)?[./](?P<id>[^/]+)")),
    ("systemd-nspawn", re.compile(r"/(?:systemd-nspawn@|machine-)(?P<id>[^/]+?)\.(?:service|scope)")),
)
"""Where container engines put their cgroups."""

MARKS = (("docker", ".dockerenv"), ("podman", "run/.containerenv"))
"""Files that an engine puts into the root of a container."""


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """What speaks for a container."""

    engine: str | None
    """docker, podman, kubernetes ...; None if nothing names one."""

    id: str
    """The id or name of the container; empty if not known."""

    other_namespaces: tuple[str, ...]
    """Namespaces of the target that are not memprobe's own."""

    other_root: bool
    """Whether its root directory is not memprobe's."""

    pid_inside: int
    """Its pid in its own pid namespace."""

    @property
    def text(self) -> str | None:
        """One short line; None if the target lives in the same world as memprobe."""
        if self.engine:
            return f"{self.engine} {self.id[:12]}".strip()
        if self.other_namespaces:
            return f"own {', '.join(self.other_namespaces)} namespace" + "s" * (
                len(self.other_namespaces) > 1
            )
        return "chroot" if self.other_root else None


def read_container(process: Process) -> ContainerFacts:
    """Collect the hints; what is not permitted to see counts as no hint."""
    engine, container_id = engine_of(process.folder.read("cgroup").decode("utf-8", "replace"))
    return ContainerFacts(
        engine=engine or _marked(process),
        id=container_id,
        other_namespaces=tuple(name for name in NAMESPACES if _differs(process, f"ns/{name}")),
        other_root=_differs(process, "root"),
        pid_inside=pid_inside(process.folder.status(), process.pid),
    )


def pid_inside(status: dict[str, str], pid: int) -> int:
    """The innermost pid of a status with NSpid, else the pid itself."""
    numbers = status.get("NSpid", "").split()
    return int(numbers[-1]) if numbers and numbers[-1].isdecimal() else pid


def engine_of(cgroup: str) -> tuple[str | None, str]:
    """Recognise a container engine and the container's id in /proc/<pid>/cgroup."""
    for path in sorted(set(cgroup_paths(cgroup).values())):
        for engine, pattern in PATTERNS:
            if match := pattern.search(path):
                return engine, printable(match["id"])
    return None, ""


def _differs(process: Process, link: str) -> bool:
    try:
        return process.folder.identity(link) != _own_identity(link)
    except (NotPermitted, OSError):
        return False


def _own_identity(link: str) -> tuple[int, int]:
    status = os.stat(f"/proc/self/{link}")
    return status.st_dev, status.st_ino


def _marked(process: Process) -> str | None:
    if not _differs(process, "root"):
        return None
    for engine, mark in MARKS:
        try:
            process.folder.identity(f"root/{mark}")
            return engine
        except (NotPermitted, OSError):
            continue
    return None
