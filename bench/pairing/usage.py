"""What a process and its children take; any of them may end at any moment."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psutil


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


def links(pid: int) -> Iterator[str]:
    """What its descriptors point to."""
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            yield os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            continue
