"""Bursts: for a few milliseconds every block that Python's object allocator hands out, and to which stack."""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from memprobe import abi
from memprobe.abi import RecordKind
from memprobe.errors import MemprobeError, ReadFault, TargetGone
from memprobe.native.bpf import Ring
from memprobe.sources.kernel.birth_places import BirthPlace, find_birth_places
from memprobe.sources.kernel.edges import opened_binary
from memprobe.sources.kernel.programs import Programs
from memprobe.sources.kernel.table import BIRTHS
from memprobe.sources.kernel.traps import Trap, Traps, wait_while
from memprobe.sources.kernel.uprobes import Spot
from memprobe.target.binary.elf import BadElf
from memprobe.target.cpython.pools import SIZE_CLASSES, used_pools
from memprobe.target.cpython.python import Python
from memprobe.target.proc.mappings import read_mappings
from memprobe.target.proc.process import Process
from memprobe.vocab.rows import Rows, no_rows

PROGRAM = "block_born"

ALL_CLASSES = (1 << SIZE_CLASSES) - 1

_ONLY = struct.pack("=I", 0)
_WATCH = struct.Struct("=3Q")
_SHAPES = {RecordKind.BLOCK.value: (abi.BLOCK_RECORD.itemsize, 0)}
UNSEEN = "Where survivors were born is not known: {reason}."


@dataclass(frozen=True, slots=True, eq=False)
class Burst:
    """What one burst has seen."""

    births: Rows
    """abi.BLOCK_RECORD, in order of time; pids and tids as the kernel numbers them."""

    begin_ns: int

    end_ns: int
    """Begin and end of the time in which births were sent."""

    hits: int
    """How often the target was trapped."""

    lost: int
    """Births that are not among them: the ring was full, or the address could not be told."""

    cost_ns: int
    """What it has cost the target: its traps, and the run time of the program."""


class Births:
    """What makes bursts on one process; nothing is attached in between."""

    def __init__(self, programs: Programs, process: Process, python: Python) -> None:
        self._programs, self._process, self._python = programs, process, python
        self._ring: Ring | None = None
        self._places: list[BirthPlace] = []
        self._traps = Traps(programs, process, BIRTHS, PROGRAM)
        self._descriptor = -1
        self.used_pools = 0
        self.reason = ""
        """Why there are no bursts."""

    @property
    def pool_bytes(self) -> int:
        """How large a pool is."""
        return self._python.objects.layout.constant("POOL_SIZE")

    def prepare(self) -> bool:
        """Find out where to attach; False, with a reason, if that is not known. Raises TargetGone."""
        if self._descriptor < 0 and not self.reason:
            self.reason = self._prepared()
            if self.reason:
                self._programs.say_missing(PROGRAM, UNSEEN.format(reason=self.reason))
        return not self.reason

    def _prepared(self) -> str:
        python = self._python
        try:
            mappings = tuple(read_mappings(self._process))
            arenas, absence = python.locate_arenas(mappings)
            self.used_pools = used_pools(python.objects.memory, arenas, self.pool_bytes)
            if not self.used_pools:
                return absence or "the pools of its allocator do not lead to one table"
            with opened_binary(self._process, python, mappings) as descriptor:
                self._places = find_birth_places(descriptor, python)
                self._descriptor = os.dup(descriptor)
        except TargetGone:
            raise
        except (BadElf, ReadFault, OSError, MemprobeError) as error:
            return str(error)
        if not self._traps.load():
            return "the kernel does not load the program"
        self._ring = Ring(self._programs.object(BIRTHS), "births", _SHAPES)
        return ""

    def burst(self, limit: int, longest_s: float, classes: int = ALL_CLASSES) -> Burst:
        """Trace until so many births were seen, or the time is up.

        Raises TargetExited, and NoKernelSupport if it cannot attach.
        """
        maps = self._programs.object(BIRTHS)
        maps.write_map("birth_watch", _ONLY, _WATCH.pack(self.used_pools, classes, limit))
        maps.write_map("birth_counts", _ONLY, bytes(abi.BIRTH_COUNTS.itemsize))
        before_ns = self._traps.run_ns
        traps = [Trap(self._descriptor, Spot(place.offset, place.cookie)) for place in self._places]
        told = self._traps.during(traps, lambda: self._traced(limit, longest_s))
        return self._burst(told["begin_ns"], told["end_ns"], self._traps.run_ns - before_ns)

    def _traced(self, limit: int, longest_s: float) -> dict[str, Any]:
        """In a child: when births were sent."""
        begin_ns = time.monotonic_ns()
        wait_while(lambda: bool(self._counts()["wanted"] < limit), longest_s)
        return {"begin_ns": begin_ns, "end_ns": time.monotonic_ns()}

    def _counts(self) -> np.void:
        content = self._programs.object(BIRTHS).read_map("birth_counts", _ONLY) or b""
        counts: np.void = np.frombuffer(content, abi.BIRTH_COUNTS)[0]
        return counts

    def _burst(self, begin_ns: int, end_ns: int, run_ns: int) -> Burst:
        assert self._ring is not None
        counts = self._counts()
        hits = int(counts["hits"])
        parcels = self._ring.drain()
        births = no_rows(abi.BLOCK_RECORD)
        if RecordKind.BLOCK in parcels:
            births = np.frombuffer(parcels[RecordKind.BLOCK][0], abi.BLOCK_RECORD)
        births = births[np.argsort(births["header"]["time_ns"], kind="stable")]
        return Burst(
            births,
            begin_ns,
            end_ns,
            hits,
            int(counts["unknown"] + counts["unsent"]),
            self._traps.cost_ns(hits, run_ns),
        )

    def close(self) -> None:
        """Let go of all; more than once is fine."""
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
