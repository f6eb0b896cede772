"""Where task_struct has the lists that it is in: of the threads of a process, and of all tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memprobe.sources.bcc.kernel_memory import KernelMemory, Words, is_kernel_pointer

SIGNAL_BYTES = 4096
"""More than a signal_struct has."""

_TASK_WORDS = 512
"""Within so many words the list of all tasks begins."""


def lists_of_threads(
    memory: KernelMemory, tasks: Sequence[Words], addresses: Sequence[int], signal: int
) -> list[int]:
    """Return the offsets that fit, of threads that were made one after the other.

    The list begins in their signal_struct.
    """
    following = [
        task[:-1] == np.uint64(after) + np.arange(len(task) - 1, dtype="<u8") * np.uint64(8)
        for task, after in zip(tasks[:-1], addresses[1:], strict=True)
    ]
    offsets = [8 * int(at) for at in np.flatnonzero(np.logical_and.reduce(following))]
    return [at for at in offsets if _comes_to(memory, signal, addresses[-1] + at)]


def _comes_to(memory: KernelMemory, signal: int, begin: int) -> bool:
    return any(signal <= node < signal + SIGNAL_BYTES for node in memory.ring(begin))


def lists_of_tasks(memory: KernelMemory, leader: int, numbers: int, pid: int) -> list[int]:
    """Return the offsets that fit; `numbers` is where pid and tgid are, `pid` that of the leader."""
    words = memory.words(leader, _TASK_WORDS).tolist()
    return [
        8 * at
        for at, word in enumerate(words)
        if is_kernel_pointer(word) and _is_of_all(memory, leader, 8 * at, numbers, pid)
    ]


def _is_of_all(memory: KernelMemory, leader: int, offset: int, numbers: int, pid: int) -> bool:
    """Whether a list goes over processes only, the idle one and the first among them."""
    pids = set()
    for node in memory.ring(leader + offset):
        both = memory.read(node - offset + numbers, 8)
        if not both or both[:4] != both[4:] or both[3]:
            return False
        pids.add(int.from_bytes(both[:4], "little"))
    return {0, 1, pid} <= pids
