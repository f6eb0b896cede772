"""The numbers of tracepoints, which only tracefs knows."""

from __future__ import annotations

import os
from collections.abc import Iterable

from memprobe.native.bpf import open_tracefs

_MOUNTED = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")


def read_numbers(points: Iterable[str]) -> dict[str, int]:
    """Return the number of each tracepoint ("syscalls/sys_exit_openat") that this kernel has.

    OSError if tracefs can neither be read where it is mounted nor be mounted for ourselves.
    """
    root = _open()
    try:
        numbers = ((point, _number(root, point)) for point in points)
        return {point: number for point, number in numbers if number is not None}
    finally:
        os.close(root)


def _open() -> int:
    for folder in _MOUNTED:
        if os.access(f"{folder}/events/syscalls", os.R_OK | os.X_OK):
            return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    # A mount that is in no namespace: nobody sees it, and it ends with its descriptor.
    return open_tracefs()


def _number(root: int, point: str) -> int | None:
    try:
        descriptor = os.open(f"events/{point}/id", os.O_RDONLY | os.O_CLOEXEC, dir_fd=root)
    except FileNotFoundError:
        return None
    try:
        return int(os.read(descriptor, 32))
    finally:
        os.close(descriptor)
