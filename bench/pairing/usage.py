"""What a process and its children take; any of them may end at any moment."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import psutil

ATTACHED = 40
"""Perf events that memprobe holds once its tracepoints are attached, at the least."""

PATIENCE_S = 60.0


def family(pid: int) -> list[psutil.Process]:
    """The process and its children."""
    own = psutil.Process(pid)
    return [own, *own.children(recursive=True)]


def cpu_s(pid: int) -> float:
    """User and system time of all of them; that of a child that was waited for is its parent's."""
    return sum(_cpu_times(pid))


def _cpu_times(pid: int) -> Iterator[float]:
    for one in family(pid):
        try:
            yield sum(one.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue


def wait_until_attached(pid: int) -> None:
    """Wait until a memprobe has attached its tracepoints; TimeoutError if it does not, or has ended."""
    end_s = time.monotonic() + PATIENCE_S
    while sum("perf_event" in link for link in _links(pid)) < ATTACHED:
        if time.monotonic() > end_s:
            raise TimeoutError(f"memprobe {pid} does not attach")
        time.sleep(0.1)


def wait_until_traced(pid: int, target: int) -> None:
    """Wait until a memprobe traces a process; TimeoutError if it does not come to that, or has ended."""
    end_s = time.monotonic() + PATIENCE_S
    while not _is_traced(target):
        if time.monotonic() > end_s or not psutil.pid_exists(pid):
            raise TimeoutError(f"memprobe {pid} does not trace")
        time.sleep(0.01)


def _is_traced(target: int) -> bool:
    with open(f"/proc/{target}/status") as status:
        return "TracerPid:\t0\n" not in status.read()


def _links(pid: int) -> Iterator[str]:
    """What its descriptors point to."""
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except FileNotFoundError:
        raise TimeoutError(f"memprobe {pid} has ended") from None
    for number in numbers:
        try:
            yield os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            continue
