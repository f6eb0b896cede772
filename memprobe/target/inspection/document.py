"""The document that `memprobe inspect` gives: `memprobe.inspect/1`.

Field names are the names in the JSON. A number that was not measured is None, never 0; units are in
the names, and a megabyte is 2**20 bytes, as in container limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memprobe import __version__
from memprobe.target.inspection.plain_data import as_plain

SCHEMA = "memprobe.inspect/1"


@dataclass(frozen=True, slots=True)
class TargetPart:
    """Which process it is."""

    pid: int

    ns_pid: int | None
    """Its pid in its own pid namespace, if that is another one."""

    start_time: str | None
    """When it started, in UTC, ISO 8601."""

    uptime_s: float | None
    cmdline: tuple[str, ...]
    exe: str | None
    uid: int | None

    python: str | None
    """The version as Python says it, such as "3.13.0"."""

    build: str | None
    """What kind of build it is: "shared libpython", "static, stripped" and so on."""

    container: str | None
    """The container that it seems to run in, or None."""

    tier: int
    """How deep this look went: 0 /proc only, 1 the process's memory too."""


@dataclass(frozen=True, slots=True)
class CheckPart:
    """One verification of the layout tables against the process."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class InterpreterPart:
    """One interpreter of the process."""

    id: int
    address: int
    main: bool
    threads: int


@dataclass(frozen=True, slots=True)
class PythonPart:
    """The Python runtime in the process."""

    version: str | None
    hexversion: int | None
    runtime_address: int | None
    binary: str | None
    build_id: str | None

    layout_source: str | None
    """Where the offsets of its structures come from."""

    stacks_from: str | None
    """Who read the stacks: "memprobe", "py-spy" or nobody."""

    checks: tuple[CheckPart, ...]
    interpreters: tuple[InterpreterPart, ...]


@dataclass(frozen=True, slots=True)
class FramePart:
    """One Python frame."""

    function: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class ThreadPart:
    """One thread of the process; those that never ran Python have no thread_id."""

    tid: int | None

    os_name: str | None
    """The name that the kernel knows."""

    name: str | None
    """The name that the module threading knows."""

    thread_id: int | None
    """What threading.get_ident() returns in it."""

    interpreter: int | None
    holds_gil: bool | None
    daemon: bool | None

    frames: tuple[FramePart, ...]
    """Innermost first."""

    complete: bool | None
    """False if the walk over its frames ended early; None if its stack was not read."""


@dataclass(frozen=True, slots=True)
class CollectorPart:
    """The state of the garbage collector of the main interpreter."""

    enabled: bool | None
    collecting: bool | None
    counts: tuple[int, ...]
    thresholds: tuple[int, ...]

    collections: tuple[int, ...]
    """Collections so far, by generation."""

    objects: tuple[int | None, ...]
    """Objects in each generation; None where the list could not be walked to its end."""


@dataclass(frozen=True, slots=True)
class ProcessPart:
    """Threads, file descriptors and collector."""

    threads: int | None
    fds: int | None
    fd_limit: int | None
    gc: CollectorPart | None


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """Where the memory is, in units of 2**20 bytes."""

    rss_mb: float | None
    rss_peak_mb: float | None
    pss_mb: float | None
    uss_mb: float | None
    swap_mb: float | None
    vms_mb: float | None

    limit_mb: float | None
    """The nearest cgroup limit above the process."""

    limit_used_mb: float | None
    """What the cgroup with that limit uses."""

    arenas: int | None
    """Arenas of Python's own allocator."""

    arenas_mb: float | None

    arena_free_mb: float | None
    """The part of them that holds no object."""


@dataclass(frozen=True, slots=True)
class FamilyPart:
    """Sockets of one family and state, such as "tcp ESTABLISHED"."""

    name: str
    open: int


@dataclass(frozen=True, slots=True)
class HandlesPart:
    """Open handles of one kind."""

    kind: str
    open: int
    examples: tuple[str, ...]

    families: tuple[FamilyPart, ...] = ()
    """For sockets: how many of each family and state, most first."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything that one look at a process has shown."""

    created_at: str
    target: TargetPart
    python: PythonPart | None
    threads: tuple[ThreadPart, ...]
    process: ProcessPart
    memory: MemoryPart
    handles: tuple[HandlesPart, ...]

    invisible: tuple[str, ...]
    """What could not be seen, why, and what would show it: one sentence each."""

    def to_dict(self) -> dict[str, Any]:
        """The document as it is printed with --json."""
        return {"schema": SCHEMA, "memprobe": __version__, **as_plain(self)}
