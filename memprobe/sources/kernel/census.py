"""The census: every task of the followed processes, straight from the kernel's own list."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from memprobe import abi
from memprobe.sources.kernel.programs import Programs
from memprobe.sources.kernel.table import FIRST
from memprobe.vocab.rows import Rows, no_rows

SINGLY_LIMIT = 32
"""Up to so many processes are looked at one by one; more are found by going over all tasks of the machine."""


class Census:
    """Has the census taken, in the way of the kit."""

    def __init__(self, programs: Programs) -> None:
        self._object, self._kit = programs.object(FIRST), programs.kit

    def find(self, pid: int) -> Rows:
        """TASK_ROW rows of one process, given its pid in memprobe's own namespace."""
        self._set("census_local_pid", pid)
        try:
            return self._read(pid=pid)
        finally:
            self._set("census_local_pid", 0)

    def settle(self, pids: Sequence[int]) -> None:
        """Close the account of memory of some processes; their first threads suffice for that."""
        self._set("census_tables", 0)
        if len(pids) > SINGLY_LIMIT:
            self._read()
            return
        for pid in pids:
            self._read(tid=pid)

    def take(self, pids: Sequence[int]) -> Rows:
        """Rows of processes that are followed; the account is closed, and their tables go into the ring."""
        return self._rows(pids, tables=1)

    def look(self, pids: Sequence[int]) -> Rows:
        """Rows alone."""
        return self._rows(pids, tables=0)

    def _rows(self, pids: Sequence[int], tables: int) -> Rows:
        self._set("census_tables", tables)
        if len(pids) > SINGLY_LIMIT:
            return self._read()
        return np.concatenate([no_rows(abi.TASK_ROW), *(self._read(pid=pid) for pid in pids)])

    def _set(self, name: str, value: int) -> None:
        self._object.set_variable(name, struct.pack("=I", value))

    def _read(self, *, tid: int = 0, pid: int = 0) -> Rows:
        content = self._kit.census(self._object, tid=tid, pid=pid)
        return np.frombuffer(content, abi.TASK_ROW, len(content) // abi.TASK_ROW.itemsize)
