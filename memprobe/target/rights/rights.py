"""Which rights memprobe has, and which tier of evidence they are enough for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from memprobe.errors import MemprobeError, NoMoreProcesses, NotPermitted
from memprobe.target.forking import fork
from memprobe.target.memory.live import LiveMemory
from memprobe.target.proc.process import Process, open_process
from memprobe.target.proc.procfs import parse_status
from memprobe.target.rights.kernel_features import Check, grant, kernel_checks

CAPABILITIES = {
    "CAP_SYS_PTRACE": (19, 1, "read the memory of processes of other users"),
    "CAP_CHECKPOINT_RESTORE": (40, 1, "open deleted binaries through /proc/<pid>/map_files"),
    "CAP_BPF": (39, 2, "load BPF programs and maps"),
    "CAP_PERFMON": (38, 2, "attach programs to events"),
    "CAP_SYS_ADMIN": (21, 2, "uprobes as perf events and BPF statistics; stands for the two above"),
}
"""Number, tier and what memprobe does with it."""

YAMA = "/proc/sys/kernel/yama/ptrace_scope"
YAMA_SCOPES = {
    0: "off: processes of the same user may be read",
    1: "restricted: only own children may be read without CAP_SYS_PTRACE",
    2: "admin only: CAP_SYS_PTRACE is needed",
    3: "nobody may be read, not even by root, until the next boot",
}
EVERYWHERE = "0 0 4294967295"
"""uid_map of the initial user namespace."""

UNMAPPED = 1 << 16
"""An address where Linux maps nothing by itself: the answer is only whether one may read at all."""


@dataclass(frozen=True, slots=True)
class Rights:
    """The outcome of all checks."""

    checks: tuple[Check, ...]
    """In order of tier."""

    tier: int | None
    """The highest tier whose required checks all pass; None if not even /proc can be read."""

    pid: int | None
    """The process that was asked about; None if a child of memprobe's own stood in."""


def check_rights(pid: int | None = None) -> Rights:
    """Try everything that memprobe does, on the given process or on a child of its own.

    Raises the leaf that `open_process` raises if there is no such process.
    """
    with _subject(pid) as process:
        checks = tuple(sorted(_checks(process, own_child=pid is None), key=lambda check: check.tier))
    return Rights(checks, reached_tier(checks), pid)


def reached_tier(checks: tuple[Check, ...]) -> int | None:
    """The highest tier for which nothing that is required is missing, there and below."""
    missing = {check.tier for check in checks if check.required and not check.ok}
    return min(missing, default=3) - 1 if 0 not in missing else None


@contextmanager
def _subject(pid: int | None) -> Iterator[Process]:
    if pid is not None:
        with open_process(pid) as process:
            yield process
        return
    with sleeping_child() as child, open_process(child) as process:
        yield process


@contextmanager
def sleeping_child() -> Iterator[int]:
    """A child that waits until it is told to end, or until memprobe itself has ended."""
    waiting, telling = os.pipe()
    try:
        child = fork()
    except NoMoreProcesses:
        os.close(waiting)
        os.close(telling)
        raise
    if child == 0:
        os.close(telling)
        os.read(waiting, 1)
        os._exit(0)
    os.close(waiting)
    try:
        yield child
    finally:
        os.close(telling)
        os.waitpid(child, 0)


def _checks(process: Process, own_child: bool) -> Iterator[Check]:
    yield _proc(process)
    yield _handles(process, own_child)
    yield _memory(process, own_child)
    yield _yama()
    yield _pid_namespace()
    yield from _capabilities()
    yield _map_files(process)
    yield from kernel_checks()


def _who(process: Process, own_child: bool) -> str:
    return "a child of memprobe" if own_child else f"process {process.pid}"


def _proc(process: Process) -> Check:
    try:
        process.folder.status()
    except MemprobeError as error:
        return Check("proc", False, error.fact, error.remedy, 0, True)
    return Check("proc", True, f"{process.folder.path} is readable", "", 0, True)


def _handles(process: Process, own_child: bool) -> Check:
    try:
        process.folder.entries("fd")
        process.folder.read("maps", 1)
    except NotPermitted as error:
        return Check("handles and mappings", False, error.fact, error.remedy, 0, False)
    detail = f"those of {_who(process, own_child)} can be listed"
    return Check("handles and mappings", True, detail, "", 0, False)


def _memory(process: Process, own_child: bool) -> Check:
    try:
        with LiveMemory(process.id, process.pidfd) as memory:
            memory.read_many([(UNMAPPED, 8)])
    except NotPermitted as error:
        return Check("read memory", False, error.fact, _memory_remedy(process), 1, True)
    detail = f"that of {_who(process, own_child)} can be read"
    if own_child and not has_capability("CAP_SYS_PTRACE"):
        detail += "; others need CAP_SYS_PTRACE"
    return Check("read memory", True, detail, "", 1, True)


def refused_memory(process: Process) -> NotPermitted:
    """The error for memory that may not be read: it says which right is missing, and what grants it."""
    return NotPermitted(
        f"no right to read the memory of process {process.pid}: {_missing_right(process)}",
        remedy=_memory_remedy(process),
    )


def refused_tracing(process: Process) -> NotPermitted:
    """The same for a process that may not be traced."""
    if _memory(process, own_child=False).ok:
        return NotPermitted(
            f"ptrace is not permitted on process {process.pid}, though its memory may be read: something "
            "forbids the call itself (a seccomp profile, as in containers)",
            remedy="allow ptrace in that profile, or do without lines: --engine proc",
        )
    return NotPermitted(
        f"no right to trace process {process.pid}: {_missing_right(process)}", remedy=_memory_remedy(process)
    )


def _missing_right(process: Process) -> str:
    scope = yama_scope()
    if scope == 3:
        return f"kernel.yama.ptrace_scope is 3, {YAMA_SCOPES[3]}"
    if has_capability("CAP_SYS_PTRACE"):
        return "memprobe has CAP_SYS_PTRACE, but not over it (another user namespace, or a security module)"
    if not _same_user(process):
        return "it runs as another user, and memprobe has no CAP_SYS_PTRACE"
    if scope:
        return f"memprobe has no CAP_SYS_PTRACE, and kernel.yama.ptrace_scope is {scope}"
    return "it is not dumpable (it has changed its user, or asked for it), and memprobe has no CAP_SYS_PTRACE"


def _memory_remedy(process: Process) -> str:
    command = f"sudo memprobe doctor {process.pid}"
    if yama_scope() == 3:
        return "reboot without kernel.yama.ptrace_scope=3: it cannot be lowered at run time"
    if yama_scope() and _same_user(process):
        return f"{command}, or: sudo sysctl kernel.yama.ptrace_scope=0"
    return grant("SYS_PTRACE") if os.geteuid() == 0 else command


def _same_user(process: Process) -> bool:
    uids = process.folder.status().get("Uid", "").split()
    return set(uids) == {str(os.geteuid())}


def yama_scope() -> int | None:
    """The Yama ptrace scope; None if the kernel has no Yama."""
    try:
        with open(YAMA, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def _yama() -> Check:
    scope = yama_scope()
    if scope is None:
        return Check("yama", True, "this kernel has no Yama", "", 1, False)
    ok = scope == 0 or (scope < 3 and has_capability("CAP_SYS_PTRACE"))
    remedy = "" if ok or scope == 3 else "sudo sysctl kernel.yama.ptrace_scope=0"
    return Check("yama", ok, YAMA_SCOPES.get(scope, f"scope {scope}"), remedy, 1, False)


def has_capability(name: str) -> bool:
    """Whether memprobe has a capability effective, in whatever user namespace it is."""
    return bool(_effective() >> CAPABILITIES[name][0] & 1)


def _effective() -> int:
    with open("/proc/self/status", "rb") as file:
        return int(parse_status(file.read())["CapEff"], 16)


def _capabilities() -> Iterator[Check]:
    confined = _user_namespace_note()
    for name, (_, tier, use) in CAPABILITIES.items():
        ok = has_capability(name)
        stands_in = has_capability("CAP_SYS_ADMIN") and name != "CAP_SYS_PTRACE"
        remedy = "" if ok or stands_in else grant(name.removeprefix("CAP_"))
        yield Check(name, ok, use + confined, remedy, tier, False)


def _user_namespace_note() -> str:
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            initial = " ".join(file.read().split()) == EVERYWHERE
    except OSError:
        initial = True
    return "" if initial else " (memprobe is in a user namespace: counts only inside of it)"


def _pid_namespace() -> Check:
    """In another pid namespace probes see other pids than memprobe does; it translates them."""
    try:
        with open("/proc/self/status", "rb") as file:
            seen_by_proc = parse_status(file.read()).get("Pid", "")
    except OSError:
        seen_by_proc = ""
    ok = seen_by_proc == str(os.getpid())
    detail = "/proc belongs to memprobe's own" if ok else "/proc belongs to another one"
    return Check("pid namespace", ok, detail, "" if ok else "mount -t proc proc /proc", 0, True)


def _map_files(process: Process) -> Check:
    """Follow one link: listing them needs less."""
    try:
        name = next(iter(process.folder.entries("map_files")), "")
        process.folder.identity(f"map_files/{name}")
    except (NotPermitted, OSError) as error:
        detail = error.fact if isinstance(error, NotPermitted) else f"refused: {error.strerror}"
        detail += "; deleted binaries are read from memory instead"
        return Check("map_files", False, detail, grant("CHECKPOINT_RESTORE"), 1, False)
    return Check("map_files", True, "the very files of mappings can be opened", "", 1, False)
