"""Uprobes of one process: one link for many instructions where the kernel can (6.6+), else an event each.

A perf event of a task is taken in and out at each of its context switches, and the kernel lets go of one
after the other; a link costs nothing but its hits.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from memprobe.native.bpf import BpfError, BpfObject

_WORD = 8
NOBODY = -1


@dataclass(frozen=True, slots=True)
class Spot:
    """An instruction of a binary."""

    offset: int
    """In the file."""

    cookie: int

    semaphore: int = 0
    """A counter that the kernel holds above 0 meanwhile: its offset in the file, 0 for none."""


def attach_uprobes(
    loaded: BpfObject, program: str, path: str, spots: Sequence[Spot], pid: int, *, at_once: bool
) -> Iterator[int]:
    """Attach a program to instructions, in one process; yield the number of each attachment once it is made.

    `at_once` must be as the program was loaded. Raises BpfError.
    """
    if at_once:
        words = np.array([(spot.offset, spot.cookie, spot.semaphore) for spot in spots], np.uint64)
        offsets, cookies, semaphores = (column.tobytes() for column in words.T)
        yield loaded.attach_uprobes(program, path, offsets, cookies, semaphores, pid)
        return
    for spot in spots:
        yield loaded.attach_uprobe(program, path, spot.offset, pid, spot.cookie, spot.semaphore)


def takes_many(loaded: BpfObject, program: str) -> bool:
    """Whether the kernel attaches a program to many instructions at once, for all threads of a process.

    There are no instructions in a folder: that is what it complains about if all else was understood. But at
    first it took one thread for the process; since that is mended it refuses a process -1 at once.
    """
    return (
        _refusal(loaded, program, os.getpid()) == errno.EBADF
        and _refusal(loaded, program, NOBODY) == errno.EINVAL
    )


def _refusal(loaded: BpfObject, program: str, pid: int) -> int | None:
    nothing = bytes(_WORD)
    try:
        loaded.detach(loaded.attach_uprobes(program, "/", nothing, nothing, nothing, pid))
    except BpfError as error:
        return error.errno
    return 0
