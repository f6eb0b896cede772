"""What the kernel lets memprobe do, found by doing it and never by its version."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from memprobe.target.rights import kernel_calls
from memprobe.target.rights.kernel_calls import KernelRefused

RING_BYTES = 4 << 20
BTF_MAGIC = b"\x9f\xeb"
EVENT_SOURCES = "/sys/bus/event_source/devices"
TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that memprobe wants to do, and whether it may."""

    name: str
    """Short, lower case, the same in every version of memprobe."""

    ok: bool
    """Whether it worked."""

    detail: str
    """What was tried or found, in words."""

    remedy: str
    """The command that mends it; empty if nothing is wrong or nothing helps."""

    tier: int
    """The lowest tier of evidence that uses it."""

    required: bool
    """Whether the tier cannot be had without it."""


def grant(*capabilities: str) -> str:
    """What gives memprobe capabilities: to a user sudo, to a root in a container its start."""
    if os.geteuid() != 0:
        return "run memprobe as root: sudo memprobe doctor"
    return "start memprobe's container with " + " ".join(f"--cap-add {name}" for name in capabilities)


def kernel_checks() -> Iterator[Check]:
    """Try what tier 2 is made of."""
    yield _attempt(
        "bpf programs", _load_programs, "programs that read user memory can be loaded", _bpf_remedy
    )
    yield _attempt("bpf ring buffer", _create_ring, _memory_detail(), _ring_remedy)
    yield _libbpf()
    yield _btf()
    yield _tracefs()
    yield _either_tracepoint()
    yield _either_uprobe()
    yield _attempt(
        "watchpoints",
        lambda: os.close(kernel_calls.open_breakpoint()),
        "a hardware breakpoint can be set",
        _watchpoint_remedy,
        required=False,
    )
    yield _kprobes()
    yield _attempt(
        "bpf statistics",
        lambda: os.close(kernel_calls.enable_statistics()),
        "the kernel counts the run time of programs",
        lambda _: grant("SYS_ADMIN"),
        required=False,
    )


def _attempt(
    name: str,
    action: Callable[[], object],
    detail: str,
    remedy: Callable[[OSError], str],
    *,
    required: bool = True,
) -> Check:
    try:
        action()
    except OSError as error:
        return Check(name, False, _refusal(error), remedy(error), 2, required)
    return Check(name, True, detail, "", 2, required)


def _refusal(error: OSError) -> str:
    code = errno.errorcode.get(error.errno or 0, "?")
    return f"refused: {error.strerror} ({code})"


def _load_programs() -> None:
    for kind in (
        kernel_calls.BPF_PROG_TYPE_TRACEPOINT,
        kernel_calls.BPF_PROG_TYPE_KPROBE,
        kernel_calls.BPF_PROG_TYPE_PERF_EVENT,
    ):
        os.close(kernel_calls.load_program(kind))


def _create_ring() -> None:
    os.close(kernel_calls.create_ring(RING_BYTES))


def _bpf_remedy(error: OSError) -> str:
    if error.errno == errno.ENOSYS:
        return "use a kernel with CONFIG_BPF_SYSCALL=y and allow bpf() in the seccomp profile"
    return grant("BPF", "PERFMON")


def _ring_remedy(error: OSError) -> str:
    # Before Linux 5.11 maps count as locked memory, and the refusal looks like a missing right.
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if os.geteuid() == 0 and soft != resource.RLIM_INFINITY:
        return "raise the limit: ulimit -l unlimited"
    return "use Linux 5.8 or newer" if error.errno == errno.EINVAL else _bpf_remedy(error)


def _memory_detail() -> str:
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    limit = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft >> 10} KiB"
    return f"{RING_BYTES >> 20} MiB can be had; RLIMIT_MEMLOCK is {limit}"


def _libbpf() -> Check:
    """Load the smallest of memprobe's own compiled programs, as every run does."""
    try:
        from memprobe.native.bpf import BpfObject, object_path

        with BpfObject(object_path("smoke")) as smoke:
            smoke.load()
    except ImportError as error:
        return Check("libbpf", False, str(error), "sudo apt install libbpf1", 2, True)
    except OSError as error:
        return Check("libbpf", False, _refusal(error), _bpf_remedy(error), 2, True)
    return Check("libbpf", True, "a compiled program of memprobe can be loaded", "", 2, True)


def _btf() -> Check:
    path = "/sys/kernel/btf/vmlinux"
    try:
        with open(path, "rb") as file:
            found = file.read(2) == BTF_MAGIC
    except OSError as error:
        remedy = "use a kernel with CONFIG_DEBUG_INFO_BTF=y, or install python3-bpfcc and linux-headers"
        return Check("kernel types", False, f"{path}: {error.strerror}", remedy, 2, False)
    return Check("kernel types", found, path if found else f"{path} is not BTF", "", 2, False)


def tracefs() -> str | None:
    """Where tracefs is mounted and readable; None if nowhere."""
    return next((folder for folder in TRACEFS if os.access(f"{folder}/events", os.R_OK | os.X_OK)), None)


def _tracefs() -> Check:
    folder = tracefs()
    if folder:
        return Check("tracefs", True, folder, "", 2, False)
    mounted = any(os.path.ismount(folder) for folder in TRACEFS[:1])
    detail = "mounted, but not readable" if mounted else "not mounted"
    remedy = grant("DAC_READ_SEARCH") if mounted else "sudo mount -t tracefs tracefs /sys/kernel/tracing"
    return Check("tracefs", False, detail, remedy, 2, False)


def _either_tracepoint() -> Check:
    """A tracepoint by its name needs no tracefs; by its number it does."""
    ways = {"raw tracepoint": _raw_tracepoint, "tracepoint event": _tracepoint_event}
    return _any_of("tracepoints", ways, grant("BPF", "PERFMON"))


def _either_uprobe() -> Check:
    """The link needs CAP_BPF and CAP_PERFMON, the perf event CAP_SYS_ADMIN; measured on 6.18."""
    ways = {"bpf link": _uprobe_link, "perf event": _uprobe_event}
    return _any_of("uprobes", ways, grant("BPF", "PERFMON", "SYS_ADMIN"))


def _any_of(name: str, ways: dict[str, Callable[[], None]], remedy: str) -> Check:
    results = {way: _outcome(action) for way, action in ways.items()}
    detail = "; ".join(f"{way}: {refused or 'works'}" for way, refused in results.items())
    ok = not all(results.values())
    return Check(name, ok, detail, "" if ok else remedy, 2, True)


def _outcome(action: Callable[[], None]) -> str:
    """Empty if it works, else the refusal."""
    try:
        action()
    except OSError as error:
        return _refusal(error)
    return ""


def _raw_tracepoint() -> None:
    program = kernel_calls.load_program(kernel_calls.BPF_PROG_TYPE_RAW_TRACEPOINT)
    try:
        # Not sys_enter: that one would slow every system call of the machine for a moment.
        os.close(kernel_calls.open_raw_tracepoint(b"sched_process_exec", program))
    finally:
        os.close(program)


def _tracepoint_event() -> None:
    folder = tracefs()
    if folder is None:
        raise KernelRefused(errno.ENOENT, "tracefs is not mounted or not readable")
    with open(f"{folder}/events/sched/sched_process_exec/id", encoding="ascii") as file:
        number = int(file.read())
    os.close(kernel_calls.open_event(kernel_calls.PERF_TYPE_TRACEPOINT, number))


def _uprobe_link() -> None:
    os.close(kernel_calls.open_uprobe_link())


def _uprobe_event() -> None:
    os.close(kernel_calls.open_uprobe(_event_source("uprobe")))


def _event_source(name: str) -> int:
    with open(f"{EVENT_SOURCES}/{name}/type", encoding="ascii") as file:
        return int(file.read())


def _kprobes() -> Check:
    try:
        os.close(kernel_calls.open_kprobe(_event_source("kprobe"), b"do_exit"))
    except OSError as error:
        absent = error.errno == errno.ENOENT
        detail = "this kernel has none; memprobe does without" if absent else _refusal(error)
        return Check("kprobes", False, detail, "", 2, False)
    return Check("kprobes", True, "a function of the kernel can be probed", "", 2, False)


def _watchpoint_remedy(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{grant('PERFMON')}, or: sudo sysctl kernel.perf_event_paranoid=2"
    if error.errno == errno.ENOSPC:
        return "all debug registers are taken: end the debugger that holds them"
    return "hardware breakpoints are not passed into this virtual machine"
