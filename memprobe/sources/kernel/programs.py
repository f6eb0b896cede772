"""The BPF programs of a run: loaded, attached where they belong, detached again."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from memprobe.native.bpf import BpfError, BpfObject, detach_aside, enable_statistics
from memprobe.sources.kernel.attachments import Attachment, heat
from memprobe.sources.kernel.bpf_objects import BpfObjects
from memprobe.sources.kernel.kit import Kit, Precompiled
from memprobe.sources.kernel.options import KernelOptions
from memprobe.sources.kernel.table import EXACT, FIRST, GROWTH, HANDLES, Program, programs
from memprobe.sources.kernel.tracepoints import read_numbers
from memprobe.sources.kernel.uprobes import Spot, attach_uprobes

_NO_TRACEFS = "System calls cannot be traced: tracefs can be neither read nor mounted ({reason})."


class Programs:
    """What a KernelSource has in the kernel. `close` takes all of it out."""

    def __init__(self, options: KernelOptions, kit: Kit | None = None) -> None:
        self._options = options
        self.kit: Kit = kit or Precompiled()
        left_out: tuple[str, ...] = () if options.growth else (GROWTH, "allocator")
        left_out += () if options.handles else (HANDLES,)
        self._table = [
            row for row in programs() if row.object not in left_out and row.name not in self.kit.unused
        ]
        self._objects = BpfObjects(self._table, options, self.kit)
        self._attached: list[Attachment] = []
        self._numbers: dict[str, int] | None = None
        self._statistics = -1
        self._missing: dict[str, str] = {}
        self._waiting: list[tuple[Program, str]] = []

    @property
    def invisible(self) -> tuple[str, ...]:
        """What is not there, one sentence each."""
        return tuple(dict.fromkeys(self._missing.values()))

    @property
    def attached(self) -> tuple[Attachment, ...]:
        """All that is attached at present."""
        return tuple(self._attached)

    @property
    def maps(self) -> BpfObject:
        """The object through which the shared maps are reached."""
        return self._objects[FIRST]

    @property
    def attaches_many(self) -> bool:
        """Whether an uprobe program goes to many instructions at once (6.6+), until the kernel says no."""
        return self._objects.attaches_many

    def has_attached(self, program: str) -> bool:
        """Whether a program is attached anywhere."""
        return any(one.program == program for one in self._attached)

    def object(self, name: str) -> BpfObject:
        """One of the loaded objects; KeyError if it was not loaded."""
        return self._objects[name]

    def has(self, object_name: str) -> bool:
        """Whether this object was loaded."""
        return object_name in self._objects

    # Loading ----------------------------------------------------------------------------------------

    def load(self) -> None:
        """Load all objects; raise NotPermitted or NoKernelSupport if the essential ones do not load."""
        self._say_missing(self._objects.load())

    def load_late(self, name: str) -> bool:
        """Load one of LATE, if it is not there yet; False, which is then said, if the kernel refuses it."""
        is_there = self._objects.load_late(name)
        if not is_there:
            self._say_missing(self._objects.programs_of(name))
        return is_there

    def spare(self, name: str) -> BpfObject:
        """Load an object once more, beside the one of the run; the caller closes it. Raises BpfError."""
        return self._objects.once_more(name)

    def count_costs(self) -> None:
        """Have the kernel count runs and run times, as long as this lives."""
        try:
            self._statistics = enable_statistics()
        except OSError:  # without CAP_SYS_ADMIN; another one's statistics may run all the same
            self._statistics = -1

    @property
    def counts_costs(self) -> bool:
        """Whether run times are counted for us."""
        return self._statistics >= 0

    @property
    def table(self) -> list[Program]:
        """The rows of the programs that this run wants."""
        return self._table

    def run_counts(self) -> dict[str, tuple[int, int, int]]:
        """What each program has done so far: runs, nanoseconds, runs skipped."""
        return self._objects.run_counts()

    @property
    def skipped(self) -> int:
        """How often the kernel did not run a program that was due."""
        return sum(skipped for _, _, skipped in self.run_counts().values())

    # Attaching --------------------------------------------------------------------------------------

    def attach(self, *objects: str, hook: str | None = None) -> None:
        """Attach all programs of these objects (of one kind of hook) that need nothing but their name."""
        for row in self._table:
            if row.object in objects and row.object in self._objects and hook in (None, row.hook):
                self._attach(row)

    def _attach(self, row: Program) -> None:
        if row.hook == "raw_tracepoint" and (row.name != EXACT or self._options.exact_account):
            self._attach_raw(row)
        elif row.hook == "tracepoint":
            self._attach_tracepoints(row)

    def _attach_raw(self, row: Program) -> None:
        try:
            number = self._objects[row.object].attach(row.name)
        except BpfError:
            self._say_missing([row])
            return
        self._attached.append(Attachment(row.object, row.name, row.hook, row.points[0][0], 0, number))

    def _attach_tracepoints(self, row: Program) -> None:
        numbers = self._tracepoints()
        for point, optional in row.points:
            if point in numbers and self._attach_tracepoint(row, point):
                continue
            if not optional:
                self._missing.setdefault(f"{row.name} {point}", row.missing)

    def _attach_tracepoint(self, row: Program, point: str) -> bool:
        """Attach; where the same program is still there from before, as soon as it has gone."""
        number = self._tracepoints()[point]
        try:
            kept = self._objects[row.object].attach_tracepoint(row.name, number)
        except BpfError as error:
            if error.errno != errno.EEXIST:
                return False
            self._waiting.append((row, point))
            return True
        self._attached.append(Attachment(row.object, row.name, row.hook, point, 0, kept))
        return True

    def attach_waiting(self) -> bool:
        """Attach what could not be attached because its predecessor was being detached; True at the last."""
        waiting, self._waiting = self._waiting, []
        for row, point in waiting:
            if not self._attach_tracepoint(row, point):
                self._say_missing([row])
        return bool(waiting) and not self._waiting

    def _tracepoints(self) -> Mapping[str, int]:
        """The numbers of all tracepoints of the table, read once."""
        if self._numbers is None:
            wanted = [point for row in self._table if row.hook == "tracepoint" for point, _ in row.points]
            try:
                self._numbers = read_numbers(wanted)
            except OSError as error:
                self._numbers = {}
                self._missing["tracefs"] = _NO_TRACEFS.format(reason=error.strerror)
        return self._numbers

    def attach_uprobes(
        self, object_name: str, program: str, point: str, path: str, spots: Sequence[Spot], pid: int
    ) -> None:
        """Attach a program to the instructions that a place has; raises BpfError."""
        loaded = self._objects[object_name]
        for number in attach_uprobes(loaded, program, path, spots, pid, at_once=self.attaches_many):
            self._attached.append(Attachment(object_name, program, "uprobe", point, pid, number))

    def attach_event(self, object_name: str, program: str, kind: int, config: int, tid: int) -> None:
        """Attach a program to every event of a kind in a thread and those that it starts; raises BpfError."""
        number = self._objects[object_name].attach_event(
            program, kind=kind, config=config, period=1, tid=tid, inherit=True
        )
        kept = Attachment(object_name, program, "perf_event", f"event {kind}/{config}", tid, number)
        self._attached.append(kept)

    def attach_watchpoint(
        self, object_name: str, program: str, word: tuple[int, int], tid: int, limit: int
    ) -> Attachment:
        """Attach a program to writes of a thread to a word (address, width); raises BpfError."""
        address, width = word
        number = self._objects[object_name].attach_watchpoint(
            program, address=address, tid=tid, width=width, limit=limit
        )
        kept = Attachment(object_name, program, "watchpoint", f"{address:#x}", tid, number)
        self._attached.append(kept)
        return kept

    def _say_missing(self, rows: Iterable[Program]) -> None:
        for row in rows:
            self._missing.setdefault(row.name, row.missing)

    def say_missing(self, program: str, sentence: str) -> None:
        """Note what cannot be seen because a program could not be attached."""
        self._missing[program] = sentence

    # Detaching --------------------------------------------------------------------------------------

    def detach(
        self, *objects: str, hook: str | None = None, point: str | None = None, pid: int | None = None
    ) -> None:
        """Detach the programs of these objects (of a hook, at a point, in a process); does not wait."""
        going: list[Attachment] = []
        staying: list[Attachment] = []
        for one in self._attached:
            is_meant = hook in (None, one.hook) and point in (None, one.point) and pid in (None, one.pid)
            (going if is_meant and one.object in objects else staying).append(one)
        self._attached = staying
        self._waiting = [(row, point) for row, point in self._waiting if row.object not in objects]
        self._let_go(going)

    def detach_now(self, going: Collection[Attachment]) -> None:
        """Detach what the kernel lets go of at once: watchpoints, not tracepoints; waits."""
        self._attached = [one for one in self._attached if one not in going]
        for one in going:
            self._objects[one.object].detach(one.number)

    def _let_go(self, going: list[Attachment]) -> None:
        going.sort(key=heat)
        if going:
            detach_aside([(self._objects[one.object], one.number) for one in going])

    def close(self) -> None:
        """Take everything out of the kernel; what takes time is left to a helper. May be called twice."""
        going, self._attached = self._attached, []
        self._let_go(going)
        self._objects.close()
        self.kit.close()
        if self._statistics >= 0:
            os.close(self._statistics)
            self._statistics = -1
