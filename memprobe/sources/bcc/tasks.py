"""The kernel's tasks by memprobe's own numbers, found by following the kernel's lists.

The lists change while they are followed: what was found is tried, and looked for again if it is gone
(see kit).
"""

from __future__ import annotations

from collections.abc import Iterator

from memprobe.sources.bcc.fields import Offsets
from memprobe.sources.bcc.kernel_memory import KernelMemory
from memprobe.sources.bcc.lists import SIGNAL_BYTES

WALKS = 5
"""A task that ends under our feet may lead past others."""

_UPID_BYTES = 16

Task = tuple[int, int]
"""Where its task_struct is, and the kernel's own number of it."""


class Tasks:
    """Finds processes and threads."""

    def __init__(self, memory: KernelMemory, offsets: Offsets) -> None:
        self._memory, self._at = memory, offsets
        self._leaders: dict[int, Task] = {}
        own = memory.this_thread().task
        # The thread that calls may end before memprobe does; its first thread stays as long as its process.
        self._first = self._field(own, "task_struct.group_leader")
        identity = self._field(own, "task_struct.thread_pid")
        self._level = self._number(identity, "pid.level")
        self._namespace = self._memory.word(self._upid(identity) + offsets["upid.ns"])

    def leader(self, pid: int) -> Task | None:
        """The first thread of a process; it may be the one of last time, which has ended since."""
        for _ in range(WALKS):
            if pid in self._leaders:
                break
            self._leaders = dict(self._go_over())
        return self._leaders.get(pid)

    def forget(self, pid: int) -> None:
        """Look for a process again when it is next asked for."""
        self._leaders.pop(pid, None)

    def leaders(self) -> list[Task]:
        """The first threads of all processes that memprobe has a number for."""
        self._leaders = dict(self._go_over())
        return list(self._leaders.values())

    def threads(self, leader: Task) -> Iterator[Task]:
        """All threads of a process."""
        signal = self._field(leader[0], "task_struct.signal")
        for node in self._memory.ring(leader[0] + self._at["task_struct.thread_node"]):
            if not signal <= node < signal + SIGNAL_BYTES:  # where the list begins
                task = node - self._at["task_struct.thread_node"]
                yield task, self._number(task, "task_struct.pid")

    def _go_over(self) -> Iterator[tuple[int, Task]]:
        for node in self._memory.ring(self._first + self._at["task_struct.tasks"]):
            task = node - self._at["task_struct.tasks"]
            own = self._own_number(task)
            if own:
                yield own, (task, self._number(task, "task_struct.pid"))

    def _own_number(self, task: int) -> int:
        """What memprobe's pid namespace calls it; 0 if nothing."""
        identity = self._field(task, "task_struct.thread_pid")
        if not identity or self._number(identity, "pid.level") < self._level:
            return 0
        upid = self._upid(identity)
        if self._memory.word(upid + self._at["upid.ns"]) != self._namespace:
            return 0
        return self._number(upid, "upid.nr")

    def _upid(self, identity: int) -> int:
        return identity + self._at["pid.numbers"] + _UPID_BYTES * self._level

    def _field(self, address: int, field: str) -> int:
        return self._memory.word(address + self._at[field])

    def _number(self, address: int, field: str) -> int:
        return int.from_bytes(self._memory.read(address + self._at[field], 4), "little")
