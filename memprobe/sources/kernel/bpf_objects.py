"""The BPF objects of a run: loaded together at its beginning, or when somebody wants them."""

from __future__ import annotations

import os
import struct
from threading import Thread

from memprobe.native.bpf import BpfError, BpfObject
from memprobe.sources.kernel.kit import Kit
from memprobe.sources.kernel.options import KernelOptions
from memprobe.sources.kernel.processors import possible_processors
from memprobe.sources.kernel.refusals import refused
from memprobe.sources.kernel.table import FIRST, GROWTH, LATE, Program
from memprobe.sources.kernel.uprobes import takes_many


class BpfObjects:
    """Those that are loaded, by name. `close` takes them out of the kernel."""

    def __init__(self, table: list[Program], options: KernelOptions, kit: Kit) -> None:
        self._table, self._options, self._kit = table, options, kit
        self._loaded: dict[str, BpfObject] = {}
        self._failed: dict[str, BpfError] = {}
        self.attaches_many = True
        """Whether an uprobe program goes to many instructions at once (6.6+), until the kernel says no."""

    def __getitem__(self, name: str) -> BpfObject:
        return self._loaded[name]

    def __contains__(self, name: str) -> bool:
        return name in self._loaded

    def load(self) -> list[Program]:
        """Load all but those of LATE; return the programs that the kernel does not take.

        Raises NotPermitted or NoKernelSupport if the essential ones are among those.
        """
        wanted = dict.fromkeys(row.object for row in self._table if row.object != FIRST)
        others = [name for name in wanted if name not in LATE]
        self._kit.prepare((FIRST, *others), later=LATE.intersection(wanted))
        self._load(FIRST)
        if FIRST in self._failed:
            raise refused(FIRST, self._failed[FIRST])
        # The verifier takes a second in all, half of it for one object: it may as well use two CPUs.
        slowest = Thread(target=self._load, args=(GROWTH,)) if GROWTH in others else None
        if slowest is not None:
            slowest.start()
        for name in others:
            if name != GROWTH:
                self._load(name)
        if slowest is not None:
            slowest.join()
        return [row for name in self._failed for row in self._left_out(name)]

    def _left_out(self, name: str) -> list[Program]:
        """The programs of an object that was not loaded, if the run can do without them."""
        rows = self.programs_of(name)
        if any(not row.optional for row in rows):
            raise refused(name, self._failed[name]) from self._failed[name]
        return rows

    def load_late(self, name: str) -> bool:
        """Load one of LATE, if it is not there yet; False if the kernel refuses it."""
        if name not in self._loaded and name not in self._failed:
            self._load(name)
        return name in self._loaded

    def once_more(self, name: str) -> BpfObject:
        """Load an object, whether it is there or not; the caller closes it. Raises BpfError."""
        made = self._open(name)
        if name == FIRST:
            made.resize_map("events", self._options.ring_bytes)
        elif FIRST in self._loaded:
            made.share_maps(self._loaded[FIRST])
        made.load()
        return made

    def programs_of(self, name: str) -> list[Program]:
        """Return the programs of an object that this run wants."""
        return [row for row in self._table if row.object == name]

    def run_counts(self) -> dict[str, tuple[int, int, int]]:
        """What each program has done so far: runs, nanoseconds, runs skipped."""
        return {
            name: counts for loaded in self._loaded.values() for name, counts in loaded.run_counts.items()
        }

    def close(self) -> None:
        """Let go of all."""
        for loaded in self._loaded.values():
            loaded.close()
        self._loaded.clear()

    def _load(self, name: str) -> None:
        """Load an object, or note why not."""
        try:
            made = self.once_more(name)
            uprobes = self._uprobes(name)
            if uprobes and self.attaches_many and not takes_many(made, uprobes[0]):
                made.close()
                self.attaches_many = False
                made = self.once_more(name)
            self._loaded[name] = made
        except BpfError as error:
            self._failed[name] = error

    def _open(self, name: str) -> BpfObject:
        made = self._kit.open(name)
        for program in self._kit.unused.intersection(made.programs):
            made.leave_out(program)
        for constant, value in _constants(self._options).items():
            if made.has_constant(constant):
                made.set_constant(constant, value)
        if self.attaches_many:
            for program in self._uprobes(name):
                made.attach_to_many(program)
        return made

    def _uprobes(self, name: str) -> list[str]:
        return [row.name for row in self.programs_of(name) if row.hook == "uprobe"]


def _constants(options: KernelOptions) -> dict[str, bytes]:
    """What the programs want to know before they are loaded."""
    return {
        "processors": struct.pack("=I", possible_processors()),
        "page_bytes": struct.pack("=I", os.sysconf("SC_PAGESIZE")),
        "wake_bytes": struct.pack("=Q", options.ring_bytes // 4),
    }
