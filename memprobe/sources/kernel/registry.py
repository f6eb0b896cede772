"""What the programs must know of a process: its Python, its layout, where its threads are."""

from __future__ import annotations

import struct
from collections import Counter

from memprobe import abi
from memprobe.abi import TargetFlags
from memprobe.errors import ReadFault, TargetGone
from memprobe.native.bpf import BpfError, BpfObject
from memprobe.sources.kernel.followed import Followed
from memprobe.sources.kernel.python_layout import UnsuitableLayout, fill_layout
from memprobe.target.cpython.objects import BadObject
from memprobe.target.cpython.python import Python
from memprobe.target.cpython.threads import ThreadState, ThreadStates

_TARGET = struct.Struct("=QIIII")
_KEY = struct.Struct("=I")
_THREAD_KEY = struct.Struct("=QII")
_WORD = struct.Struct("=Q")

assert _TARGET.size == abi.TARGET.itemsize
assert _THREAD_KEY.size == abi.THREAD_KEY.itemsize


class Registry:
    """Writes the maps `targets`, `layouts` and `thread_states`."""

    def __init__(self, maps: BpfObject, *, tree: bool) -> None:
        self._maps = maps
        self._flags = int(TargetFlags.TREE) if tree else 0
        self._layouts: list[bytes] = []

    def add(self, one: Followed) -> None:
        """Follow a process from now on."""
        runtime, layout = self._python(one)
        self._write(one, runtime, layout, one.epoch)
        self._tell_threads(one)

    def has_python(self, one: Followed) -> None:
        """Tell the programs which Python runs in a process that they follow already."""
        known = self._maps.read_map("targets", _KEY.pack(one.kernel_pid))
        if known is None:
            return  # it has ended
        runtime, layout = self._python(one)
        one.epoch = _TARGET.unpack(known)[2]
        self._write(one, runtime, layout, one.epoch)
        self._tell_threads(one)

    def _write(self, one: Followed, runtime: int, layout: int, epoch: int) -> None:
        value = _TARGET.pack(runtime, layout, epoch, self._flags, 0)
        self._maps.write_map("targets", _KEY.pack(one.kernel_pid), value)

    def _python(self, one: Followed) -> tuple[int, int]:
        """The address of the runtime (0: no stacks) and the index of its layout."""
        if one.python is None:
            return 0, 0
        try:
            index = self._layout(one.python)
        except UnsuitableLayout as error:
            one.reason = str(error)
            return 0, 0
        return one.python.runtime.address, index

    def _layout(self, python: Python) -> int:
        content = fill_layout(python.layout)
        if content not in self._layouts:
            if len(self._layouts) >= abi.MAX_LAYOUTS:
                raise UnsuitableLayout(f"more than {abi.MAX_LAYOUTS} builds of Python at once")
            self._maps.write_map("layouts", _KEY.pack(len(self._layouts)), content)
            self._layouts.append(content)
        return self._layouts.index(content)

    def _tell_threads(self, one: Followed) -> None:
        """Spare the programs the search for threads that run already; a wrong hint does no harm."""
        if one.python is None:
            return
        try:
            states = _thread_states(one.python)
        except (TargetGone, ReadFault, BadObject):
            return
        shared = Counter(state.ident for state in states)
        for state in states:
            if state.ident and shared[state.ident] == 1:
                key = _THREAD_KEY.pack(state.ident, one.kernel_pid, 0)
                try:
                    self._maps.write_map("thread_states", key, _WORD.pack(state.address))
                except BpfError:
                    return


def _thread_states(python: Python) -> list[ThreadState]:
    reader = ThreadStates(python.objects, python.runtime.address)
    return [state for interpreter in python.interpreters() for state in reader.read(interpreter)]
