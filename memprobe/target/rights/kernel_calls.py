"""The two system calls that have no wrapper in C libraries, for trying what the kernel allows.

Only `memprobe doctor` uses them, so they are worth ctypes and not C. Whatever is opened here is
opened disabled and closed at once.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

BPF_NUMBER = {"x86_64": 321, "aarch64": 280}
PERF_EVENT_OPEN_NUMBER = {"x86_64": 298, "aarch64": 241}

BPF_MAP_CREATE, BPF_PROG_LOAD, BPF_RAW_TRACEPOINT_OPEN, BPF_LINK_CREATE, BPF_ENABLE_STATS = 0, 5, 17, 28, 32
BPF_MAP_TYPE_RINGBUF = 27
BPF_PROG_TYPE_KPROBE, BPF_PROG_TYPE_TRACEPOINT, BPF_PROG_TYPE_PERF_EVENT, BPF_PROG_TYPE_RAW_TRACEPOINT = (
    2,
    5,
    7,
    17,
)
BPF_TRACE_UPROBE_MULTI = 48
BPF_ATTRIBUTE_SIZE = 120
LICENSE = b"Dual MIT/GPL\0"

# r1 = stack - 8; r2 = 8; r3 = 0; call bpf_probe_read_user; r0 = 0; exit
READING_PROGRAM = struct.pack(
    "<" + "BBhi" * 7,
    *(0xBF, 0xA1, 0, 0),
    *(0x07, 0x01, 0, -8),
    *(0xB7, 0x02, 0, 8),
    *(0xB7, 0x03, 0, 0),
    *(0x85, 0x00, 0, 112),
    *(0xB7, 0x00, 0, 0),
    *(0x95, 0x00, 0, 0),
)
"""Reads memory of a user program, as every probe of memprobe does; some lockdowns forbid it."""

PERF_ATTRIBUTE = struct.Struct("<IIQQQQQIIQQQQIiQIHH")
PERF_TYPE_TRACEPOINT, PERF_TYPE_BREAKPOINT = 2, 5
PERF_DISABLED, PERF_EXCLUDE_KERNEL, PERF_EXCLUDE_HYPERVISOR = 1 << 0, 1 << 5, 1 << 6
PERF_FLAG_FD_CLOEXEC = 8
HW_BREAKPOINT_W = 2


class KernelRefused(OSError):
    """The kernel said no; errno says why."""


def _call(numbers: dict[str, int], *arguments: object) -> int:
    number = numbers.get(platform.machine())
    if number is None:
        raise KernelRefused(38, "system call number not known on this machine")
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise KernelRefused(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def bpf(command: int, attribute: bytes) -> int:
    """Make one call of bpf; return the descriptor that the caller closes."""
    padded = ctypes.create_string_buffer(attribute, BPF_ATTRIBUTE_SIZE)
    return _call(BPF_NUMBER, ctypes.c_long(command), padded, ctypes.c_long(BPF_ATTRIBUTE_SIZE))


def load_program(program_type: int, attach_type: int = 0) -> int:
    """Load the smallest program that reads user memory."""
    instructions = ctypes.create_string_buffer(READING_PROGRAM, len(READING_PROGRAM))
    text = ctypes.create_string_buffer(LICENSE, len(LICENSE))
    pointers = (ctypes.addressof(instructions), ctypes.addressof(text))
    head = struct.pack("<IIQQ", program_type, len(READING_PROGRAM) // 8, *pointers)
    # Between license and expected_attach_type: the log, flags, a name, a network interface.
    return bpf(BPF_PROG_LOAD, head + bytes(44) + struct.pack("<I", attach_type))


def create_ring(size: int) -> int:
    """Create a ring buffer map."""
    return bpf(BPF_MAP_CREATE, struct.pack("<5I", BPF_MAP_TYPE_RINGBUF, 0, 0, size, 0))


def open_raw_tracepoint(name: bytes, program: int) -> int:
    """Attach a program to a raw tracepoint."""
    text = ctypes.create_string_buffer(name)
    return bpf(BPF_RAW_TRACEPOINT_OPEN, struct.pack("<QI", ctypes.addressof(text), program))


def enable_statistics() -> int:
    """Have the kernel count the run time of BPF programs until the descriptor is closed."""
    return bpf(BPF_ENABLE_STATS, bytes(4))


def open_event(kind: int, config: int = 0, first: int = 0, second: int = 0, access: int = 0) -> int:
    """Open a disabled perf event on this very thread."""
    flags = PERF_DISABLED | PERF_EXCLUDE_KERNEL | PERF_EXCLUDE_HYPERVISOR
    if kind != PERF_TYPE_BREAKPOINT:
        flags = PERF_DISABLED
    attribute = PERF_ATTRIBUTE.pack(
        *(kind, PERF_ATTRIBUTE.size, config, 1, 0, 0, flags, 0, access, first, second),
        *(0, 0, 0, 0, 0, 0, 0, 0),
    )
    buffer = ctypes.create_string_buffer(attribute, len(attribute))
    no_group, this_thread, any_cpu = (ctypes.c_long(number) for number in (-1, 0, -1))
    return _call(
        PERF_EVENT_OPEN_NUMBER, buffer, this_thread, any_cpu, no_group, ctypes.c_long(PERF_FLAG_FD_CLOEXEC)
    )


def open_breakpoint() -> int:
    """Open a watchpoint on 8 bytes of our own memory."""
    watched = ctypes.create_string_buffer(16)
    address = ctypes.addressof(watched) + 7 & -8
    return open_event(PERF_TYPE_BREAKPOINT, first=address, second=8, access=HW_BREAKPOINT_W)


def open_uprobe(kind: int) -> int:
    """Open an uprobe as a perf event, in a file that nobody has mapped: nothing can hit it."""
    with _unmapped_file() as path:
        return open_event(kind, first=ctypes.addressof(path), second=64)


def open_uprobe_link() -> int:
    """Attach an uprobe through a BPF link (Linux 6.6+), which needs fewer rights than a perf event."""
    program = load_program(BPF_PROG_TYPE_KPROBE, BPF_TRACE_UPROBE_MULTI)
    offsets = (ctypes.c_uint64 * 1)(64)
    try:
        with _unmapped_file() as path:
            pointers = (ctypes.addressof(path), ctypes.addressof(offsets))
            link = (program, 0, BPF_TRACE_UPROBE_MULTI, 0, *pointers, 0, 0, 1, 0, os.getpid())
            return bpf(BPF_LINK_CREATE, struct.pack("<4I4Q3I", *link))
    finally:
        os.close(program)


@contextmanager
def _unmapped_file() -> Iterator[ctypes.Array[ctypes.c_char]]:
    """The path of a file of one page, as C wants it."""
    # Not a memfd: its path leads through /proc/self, closed to a process that has gained capabilities.
    with tempfile.NamedTemporaryFile(prefix="memprobe-doctor-") as file:
        file.truncate(4096)
        yield ctypes.create_string_buffer(os.fsencode(file.name))


def open_kprobe(kind: int, function: bytes) -> int:
    """Open a probe on a function of the kernel."""
    name = ctypes.create_string_buffer(function)
    return open_event(kind, first=ctypes.addressof(name))
