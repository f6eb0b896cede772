"""Watchpoints of the CPU on words of the target: who changes them, by how much, from which stack.

A watch is one word of one process, armed in all its threads. It is either without a limit (it stays armed,
and threads that are new inherit it), or for at most so many hits, after which the kernel itself disarms it:
then only the threads that were there take part. There are four debug registers, and others want some, too.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from memprobe import abi
from memprobe.errors import NoKernelSupport, TargetExited
from memprobe.native.bpf import BpfError
from memprobe.sources.kernel.attachments import Attachment
from memprobe.sources.kernel.family import Family
from memprobe.sources.kernel.programs import Programs
from memprobe.sources.kernel.switches import Switches
from memprobe.sources.kernel.table import WATCH
from memprobe.vocab.bursts import Change

PROGRAM = "word_changed"

ROUNDS = 4
"""How often threads are looked for that began before the ones that started them were armed."""

ROOM = 8192
"""Entries of the map `changes`."""

UNKNOWN = (1 << 64) - 1
"""WATCH_UNKNOWN: the first hit only says what the word is."""

_KEY = struct.Struct("=QII")
_WATCH = struct.Struct("=QQQQIIIIQ")
_CHANGE = struct.Struct("=QII")

assert _KEY.size == abi.WATCH_KEY.itemsize
assert _WATCH.size == abi.WATCH.itemsize
assert _CHANGE.size == abi.CHANGE_KEY.itemsize


class RegistersTaken(NoKernelSupport):
    """Another tool has the debug registers."""


@dataclass(frozen=True, slots=True)
class Hits:
    """How a watch stands."""

    count: int
    first_ns: int
    last_ns: int
    word: int
    """As it was last seen; UNKNOWN before the first hit of a watch that did not know it."""


@dataclass(slots=True, eq=False)
class Watch:
    """One word that is watched."""

    number: int
    pid: int
    kernel_pid: int
    address: int
    width: int
    limit: int
    armed: dict[int, Attachment] = field(default_factory=dict)
    """By thread."""

    taken: dict[int, Change] = field(default_factory=dict)
    """What is known of its changes, by stack: totals."""

    @property
    def key(self) -> bytes:
        """Its key in the map `watches`."""
        return _KEY.pack(self.address, self.kernel_pid, 0)


class Watchpoints:
    """The watches of a run."""

    def __init__(self, programs: Programs, family: Family) -> None:
        self._programs = programs
        self._family = family
        self._numbers = 0
        self._watches: dict[int, Watch] = {}
        """Those that are armed, by number."""

        self._switches = Switches()
        self._keys = bytearray(abi.CHANGE_KEY.itemsize * ROOM)
        self._values = bytearray(abi.CHANGE_TOTAL.itemsize * ROOM)

    def arm(
        self,
        pid: int,
        address: int,
        *,
        width: int = 8,
        limit: int = 0,
        last: int = UNKNOWN,
    ) -> Watch:
        """Watch a word in all threads of a process; `last` is what it is now, if that is known.

        Hits beyond `limit` are not taken.

        Raises RegistersTaken, NoKernelSupport where watchpoints cannot be used, and TargetExited.
        """
        if not self._programs.load_late(WATCH):
            raise NoKernelSupport("the kernel refuses memprobe's BPF program 'watch'")
        one = self._family.followed(pid)
        if one is None:
            raise TargetExited(f"process {pid} is not followed any more")
        self._numbers += 1
        watch = Watch(self._numbers, pid, one.kernel_pid, address, width, limit)
        self._watches[watch.number] = watch
        value = _WATCH.pack(last, 0, 0, 0, watch.number, width, limit, 0, 0)
        try:
            self._programs.object(WATCH).write_map("watches", watch.key, value)
            self._arm_threads(watch)
        except BpfError as error:
            self.drop(watch)
            raise _refused(error) from error
        return watch

    def _arm_threads(self, watch: Watch) -> None:
        """Until no thread is left that is not armed: those not yet armed start threads meanwhile."""
        for _ in range(ROUNDS):
            new = [tid for tid in self._family.threads(watch.pid) if tid not in watch.armed]
            for tid in new:
                self._arm_thread(watch, tid)
            if not new:
                return

    def _arm_thread(self, watch: Watch, tid: int) -> None:
        word = (watch.address, watch.width)
        try:
            watch.armed[tid] = self._programs.attach_watchpoint(WATCH, PROGRAM, word, tid, watch.limit)
        except BpfError as error:
            if error.errno != errno.ESRCH:  # else it has ended meanwhile
                raise

    def disarm(self, watch: Watch) -> None:
        """Take the watchpoint away; what it has seen can still be taken, until it is forgotten."""
        self._programs.detach_now(tuple(watch.armed.values()))
        watch.armed.clear()
        self._watches.pop(watch.number, None)

    def forget(self, watch: Watch) -> None:
        """Make room in the maps once everything was taken."""
        made = self._programs.object(WATCH)
        made.delete_from_map("watches", watch.key)
        for stack_id in watch.taken:
            made.delete_from_map("changes", _CHANGE.pack(stack_id, watch.number, 0))

    def drop(self, watch: Watch) -> None:
        """Take the watchpoint away, and what it has seen with it: else the maps would fill up."""
        self.disarm(watch)
        self.changes(watch)  # all its stacks, so that they can be forgotten
        self.forget(watch)

    def hits(self, watch: Watch) -> Hits:
        """How a watch stands."""
        value = self._programs.object(WATCH).read_map("watches", watch.key)
        word, count, first_ns, last_ns, *_ = _WATCH.unpack(value) if value else (UNKNOWN, 0, 0, 0)
        return Hits(count, first_ns, last_ns, word)

    def switches(self) -> int:
        """Context switches of the processes that are watched, as long as they are."""
        followed = (self._family.followed(pid) for pid in {watch.pid for watch in self._watches.values()})
        return self._switches.count(one for one in followed if one is not None)

    def changes(self, *watches: Watch) -> dict[int, list[Change]]:
        """What has changed since the last call, by number of the watch."""
        totals = list(self._totals()) if watches else []
        return {one.number: list(_new(one, totals)) for one in watches}

    def _totals(self) -> Iterator[tuple[int, Change]]:
        count = self._programs.object(WATCH).drain_map("changes", self._keys, self._values)
        keys = np.frombuffer(self._keys, abi.CHANGE_KEY, count)
        values = np.frombuffer(self._values, abi.CHANGE_TOTAL, count)
        for (stack_id, number, _), total in zip(keys.tolist(), values.tolist(), strict=True):
            yield number, Change(stack_id, *total)


def _new(watch: Watch, totals: list[tuple[int, Change]]) -> Iterator[Change]:
    for number, total in totals:
        if number == watch.number:
            before = watch.taken.get(total.stack_id, Change(total.stack_id, 0, 0, 0))
            watch.taken[total.stack_id] = total
            if total.hits > before.hits:
                yield Change(
                    total.stack_id,
                    total.added - before.added,
                    total.removed - before.removed,
                    total.hits - before.hits,
                )


def _refused(error: BpfError) -> NoKernelSupport:
    if error.errno == errno.ENOSPC:
        return RegistersTaken(
            "all debug registers of the process are taken, by a debugger or another profiler",
            remedy="end it, or take its hardware watchpoints away",
        )
    return NoKernelSupport(f"the kernel refuses a watchpoint ({error.strerror})")
