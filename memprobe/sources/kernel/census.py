"""The census: every task of the followed processes, straight from the kernel's own list."""

from __future__ import annotations

import struct

import numpy as np

from memprobe import abi
from memprobe.sources.kernel.programs import FIRST, Programs
from memprobe.vocab.rows import Rows

_PROGRAM = "census"


class Census:
    """Runs the census program."""

    def __init__(self, programs: Programs) -> None:
        self._object = programs.object(FIRST)

    def find(self, pid: int) -> Rows:
        """TASK_ROW rows of one process, given its pid in memprobe's own namespace."""
        self._set("census_local_pid", pid)
        try:
            return self._read()
        finally:
            self._set("census_local_pid", 0)

    def take(self, *, tables: bool) -> Rows:
        """Rows of all that is followed; the account of memory is closed, and tables go into the ring."""
        self._set("census_tables", int(tables))
        return self._read()

    def _set(self, name: str, value: int) -> None:
        self._object.set_variable(name, struct.pack("=I", value))

    def _read(self) -> Rows:
        content = self._object.iterate(_PROGRAM)
        return np.frombuffer(content, abi.TASK_ROW, len(content) // abi.TASK_ROW.itemsize)
