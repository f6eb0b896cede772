"""Who changes containers, seen at CPython's functions that do, in bursts: where there are no debug registers.

For some milliseconds uprobes stand on the functions that change containers of the types in question
(mutator_places.py), and the program passes over all containers but those that are looked at. What has
changed between two hits is the work of the first; for that of the last one, the sizes are read when the
window closes.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from memprobe import abi
from memprobe.abi import MutatorHow
from memprobe.errors import MemprobeError, NoKernelSupport, ReadFault, TargetExited, TargetGone
from memprobe.sources.kernel.attempts import Attempts
from memprobe.sources.kernel.family import Family
from memprobe.sources.kernel.mutator_places import Place, find_mutators
from memprobe.sources.kernel.programs import Programs
from memprobe.sources.kernel.table import MUTATORS
from memprobe.sources.kernel.traps import Trap, Traps, wait_while
from memprobe.sources.kernel.uprobes import Spot
from memprobe.sources.kernel.watchpoints import ROOM, UNKNOWN
from memprobe.target.binary.binaries import loaded_files, open_file
from memprobe.target.binary.elf import BadElf
from memprobe.target.cpython.python import Python
from memprobe.target.patience import GaveUp, Patience
from memprobe.target.proc.mappings import read_mappings
from memprobe.target.proc.process import Process
from memprobe.vocab.bursts import Change, Looked, Mutated, Window

PROGRAM = "container_mutates"

MOST = 64
"""Containers at once; MAX_MUTATED has the same number."""

MOST_LISTS = 16
"""Of them; abi.h has the same number."""

STACK_HITS = 4
"""A hit on a container that is looked at costs as much as so many others."""

READ_S = 1.0
"""The sizes are read in microseconds, but a target can make its reader wait for ever."""

_ONLY = struct.pack("=I", 0)
_KEY = struct.Struct("=QII")
_MUTATED = struct.Struct("=QQQQII")
_WINDOW = struct.Struct("=3Q")
_LISTS = struct.Struct(f"={MOST_LISTS}Q")
_CHANGE = struct.Struct("=QII")
_WORD = 8

assert _MUTATED.size == abi.MUTATED.itemsize
assert _WINDOW.size == abi.MUTATOR_WINDOW.itemsize
assert _LISTS.size == abi.MUTATOR_LISTS.itemsize


class Mutators:
    """What makes such bursts on one process; nothing is attached in between."""

    def __init__(self, programs: Programs, family: Family, process: Process, python: Python) -> None:
        self._programs, self._family = programs, family
        self._process, self._python = process, python
        self._traps = Traps(programs, process, MUTATORS, PROGRAM)
        self._held = ExitStack()
        self._traps_of: dict[int, tuple[Trap, ...]] = {}
        self._attempts = Attempts()
        self._descriptors: dict[str, int] = {}
        self._is_loaded: bool | None = None
        self.reasons: dict[int, str] = {}
        """Why there are none for a type, by its address."""

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def most(self) -> int:
        """Containers at once."""
        return MOST

    def window(self, containers: Sequence[Looked], longest_s: float, limit: int) -> Window | None:
        """Look until the functions were hit so often, or the time is up; None if there is nothing to see.

        Raises TargetGone, and NoKernelSupport if it cannot attach.
        """
        looked = [one for one in containers[:MOST] if self._traps_for(one.type)]
        if not looked:
            return None
        self._load()
        traps = dict.fromkeys(trap for one in looked for trap in self._traps_of[one.type])
        keys = self._begin(looked)
        before_ns = self._traps.run_ns
        try:
            told = self._traps.during(tuple(traps), lambda: self._watched(looked, longest_s, limit))
            seen = dict(zip(looked, self._seen(keys, told["sizes"]), strict=True))
        finally:
            self._forget(keys)
        _, hits, _ = self._counts()
        cost_ns = self._traps.cost_ns(hits, self._traps.run_ns - before_ns)
        return Window(told["begin_ns"], told["end_ns"], cost_ns, tuple(seen.get(one) for one in containers))

    def close(self) -> None:
        """Let go of the files; more than once is fine."""
        self._held.close()
        self._traps_of.clear()
        self._descriptors.clear()

    # Where ------------------------------------------------------------------------------------------

    def _traps_for(self, type_address: int) -> tuple[Trap, ...]:
        """The places for a type; none, for a reason, if they are not known at present."""
        now_s = time.monotonic()
        if type_address not in self._traps_of and self._attempts.is_due(type_address, now_s):
            try:
                self._traps_of[type_address] = tuple(self._found(type_address))
                self.reasons.pop(type_address, None)
            except TargetGone:
                raise
            except (BadElf, ReadFault, OSError, MemprobeError) as error:
                self.reasons[type_address] = str(error)
                self._attempts.failed(type_address, now_s)
        return self._traps_of.get(type_address, ())

    def _found(self, type_address: int) -> Iterator[Trap]:
        files = loaded_files(self._process, read_mappings(self._process))
        places: list[Place] = find_mutators(self._process, self._python, files, type_address)
        for number, offset, cookie in places:
            path = files[number].path
            if path not in self._descriptors:
                descriptor = open_file(self._process, files[number], self._python.objects.memory)
                if descriptor is None:
                    raise BadElf(f"{path} cannot be opened")
                self._held.callback(os.close, descriptor)
                self._descriptors[path] = descriptor
            yield Trap(self._descriptors[path], Spot(offset, cookie))

    def _load(self) -> None:
        if self._is_loaded is None:
            self._is_loaded = self._traps.load()
        if not self._is_loaded:
            raise NoKernelSupport("the kernel refuses memprobe's BPF program 'mutators'")

    # A burst ----------------------------------------------------------------------------------------

    def _begin(self, looked: Sequence[Looked]) -> list[bytes]:
        """Write down who is looked at, and return their keys; the window is still closed."""
        followed = self._family.followed(self._process.pid)
        if followed is None:
            raise TargetExited(f"process {self._process.pid} is not followed any more")
        maps = self._programs.object(MUTATORS)
        maps.write_map("mutator_window", _ONLY, _WINDOW.pack(0, 0, 0))
        self._changes()  # of a burst that failed
        keys = [_KEY.pack(one.size_address, followed.kernel_pid, 0) for one in looked]
        lists = [one.size_address for one in looked if self._has_room(one)][:MOST_LISTS]
        maps.write_map("mutator_lists", _ONLY, _LISTS.pack(*lists, *[0] * (MOST_LISTS - len(lists))))
        for number, key in enumerate(keys):
            maps.write_map("mutated", key, _MUTATED.pack(UNKNOWN, 0, 0, UNKNOWN, number, 0))
        return keys

    def _has_room(self, one: Looked) -> bool:
        """Whether only changes of its room are seen."""
        return any(trap.spot.cookie & 0xFF != MutatorHow.CHANGES for trap in self._traps_of[one.type])

    def _watched(self, looked: Sequence[Looked], longest_s: float, limit: int) -> dict[str, Any]:
        """In a child: open the window, wait, close it, and read the sizes at once."""
        begin_ns = time.monotonic_ns()
        self._open(True)
        wait_while(lambda: self._spent() < limit, longest_s)
        self._open(False)
        end_ns = time.monotonic_ns()
        return {"begin_ns": begin_ns, "end_ns": end_ns, "sizes": self._sizes(looked)}

    def _sizes(self, looked: Sequence[Looked]) -> list[int | None]:
        """What they are now; a read that hangs must not keep the traps in the target."""
        words = [(one.size_address, _WORD) for one in looked]
        try:
            blocks = Patience().call(lambda: self._python.objects.memory.read_many(words), READ_S)
        except GaveUp:
            return [None] * len(looked)
        return [int.from_bytes(block, "little") if len(block) == _WORD else None for block in blocks]

    def _open(self, is_open: bool) -> None:
        """Open or close the window; a few hits may be counted in vain meanwhile."""
        _, hits, taken = self._counts()
        maps = self._programs.object(MUTATORS)
        maps.write_map("mutator_window", _ONLY, _WINDOW.pack(is_open, hits, taken))

    def _counts(self) -> tuple[int, int, int]:
        content = self._programs.object(MUTATORS).read_map("mutator_window", _ONLY)
        is_open, hits, taken = _WINDOW.unpack(content or bytes(_WINDOW.size))
        return is_open, hits, taken

    def _spent(self) -> int:
        _, hits, taken = self._counts()
        return hits + STACK_HITS * taken

    def _seen(self, keys: Sequence[bytes], sizes: Sequence[int | None]) -> Iterator[Mutated | None]:
        """What was seen of each; what has changed since the last hit is of that."""
        maps, changes = self._programs.object(MUTATORS), self._changes()
        for number, (key, size) in enumerate(zip(keys, sizes, strict=True)):
            value = maps.read_map("mutated", key)
            if size is None or value is None:
                yield None
                continue
            last, stack_id, hits, *_ = _MUTATED.unpack(value)
            own = changes.get(number, [])
            if last not in (UNKNOWN, size):
                own.append(Change(stack_id, max(size - last, 0), max(last - size, 0), 1))
            yield Mutated(hits, size, tuple(_by_stack(own)))

    def _changes(self) -> dict[int, list[Change]]:
        """What the program has added up, by number of the container; it is taken out."""
        maps = self._programs.object(MUTATORS)
        keys, values = bytearray(abi.CHANGE_KEY.itemsize * ROOM), bytearray(abi.CHANGE_TOTAL.itemsize * ROOM)
        count = maps.drain_map("changes", keys, values)
        found: dict[int, list[Change]] = {}
        rows = zip(
            np.frombuffer(keys, abi.CHANGE_KEY, count).tolist(),
            np.frombuffer(values, abi.CHANGE_TOTAL, count).tolist(),
            strict=True,
        )
        for (stack_id, number, _), total in rows:
            found.setdefault(number, []).append(Change(stack_id, *total))
            maps.delete_from_map("changes", _CHANGE.pack(stack_id, number, 0))
        return found

    def _forget(self, keys: Sequence[bytes]) -> None:
        maps = self._programs.object(MUTATORS)
        for key in keys:
            maps.delete_from_map("mutated", key)


def _by_stack(changes: Sequence[Change]) -> Iterator[Change]:
    """Sum up what each stack did."""
    for stack_id in dict.fromkeys(one.stack_id for one in changes):
        own = [one for one in changes if one.stack_id == stack_id]
        yield Change(
            stack_id,
            sum(one.added for one in own),
            sum(one.removed for one in own),
            sum(one.hits for one in own),
        )
