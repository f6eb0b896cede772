"""The source of tier 2: BPF programs in the kernel, and what they send."""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from memprobe.abi import ProcessHow, RecordKind
from memprobe.errors import NoKernelSupport
from memprobe.native.bpf import Ring
from memprobe.sources.kernel import records
from memprobe.sources.kernel.census import Census
from memprobe.sources.kernel.costs import source_costs
from memprobe.sources.kernel.counters import Growth, Losses
from memprobe.sources.kernel.followed import (
    Followed,
    called_exec,
    forked,
    is_due,
    is_initial_namespace,
    look_for_python,
)
from memprobe.sources.kernel.numbers import Numbers
from memprobe.sources.kernel.options import KernelOptions
from memprobe.sources.kernel.programs import FIRST, GROWTH, HANDLES, Attachment, Programs
from memprobe.sources.kernel.registry import Registry
from memprobe.sources.kernel.stacks import StackNames
from memprobe.sources.kernel.watching import Watching
from memprobe.target.cpython.python import Python
from memprobe.target.proc.mappings import read_mappings
from memprobe.target.proc.process import Process
from memprobe.vocab import Stack, rows
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import SourceCosts
from memprobe.vocab.knobs import NOTHING, Knob
from memprobe.vocab.rows import Rows

NAME = "kernel"
KNOBS = frozenset({Knob.GROWTH_STACKS, Knob.HANDLE_STACKS, Knob.MEMORY_PROBES, Knob.SYSCALL_PROBES})

# The system calls of `processes` (unshare, close_range) go with the handles; fork, exec and exit stay.
_SHED_TOGETHER = {HANDLES: (HANDLES, FIRST), GROWTH: (GROWTH, "allocator", "collector")}
_SHED_HOOKS = {HANDLES: "tracepoint"}

_ONLY = struct.pack("=I", 0)
_TABLES = (
    (RecordKind.BIRTH, rows.BIRTH),
    (RecordKind.DEATH, rows.DEATH),
    (RecordKind.TABLE, rows.TABLE),
    (RecordKind.COLLECTION, rows.COLLECTION),
)


class KernelSource:
    """Handles, growth and collections of a process (and its children), each with its Python stack."""

    def __init__(self, process: Process, python: Python | None, options: KernelOptions | None = None) -> None:
        """Prepare to follow a process; `python` is what runs in it, None if it is not known."""
        self.options = options or KernelOptions()
        self._programs = Programs(self.options)
        self._settings = self.options.settings
        self._process, self._python = process, python
        self._numbers = Numbers(is_initial=is_initial_namespace())
        self._followed: dict[int, Followed] = {}
        self._ring: Ring | None = None
        self._shed: set[str] = set()
        self._events: Counter[str] = Counter()
        self._polled_ns = self._drained_ns = 0
        self._settled_ns = self._counted_ns = 0

    @property
    def name(self) -> str:
        """The name that batches carry."""
        return NAME

    @property
    def tier(self) -> int:
        """Tier 2."""
        return 2

    @property
    def invisible(self) -> tuple[str, ...]:
        """What cannot be seen at present, as sentences."""
        reasons = (
            f"Stacks of process {one.pid} are not known: {one.reason}."
            for one in self._followed.values()
            if one.python is None and one.reason and not one.attempts_left
        )
        return (*self._programs.invisible, *reasons)

    @property
    def attached(self) -> tuple[Attachment, ...]:
        """All that is attached at present."""
        return self._programs.attached

    def knows_stacks(self, pid: int) -> bool:
        """Whether stacks of this process can be taken at present."""
        return any(one.pid == pid and one.python is not None for one in self._followed.values())

    # Life -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Load and attach; raises NotPermitted or NoKernelSupport."""
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        self._programs.load()
        self._programs.count_costs()
        maps = self._programs.maps
        self._ring = Ring(maps, "events", records.SHAPES)
        self._losses, self._growth = Losses(maps), Growth(maps)
        self._census = Census(self._programs)
        self._registry = Registry(maps, tree=self.options.tree)
        self._watching = Watching(self._programs, self.options)
        main = self._first()
        self._registry.add(main)
        self._programs.attach(FIRST, HANDLES, GROWTH)
        self._watching.watch_faults(main)
        self._watching.watch(main)
        self._write_settings()
        self._polled_ns = self._drained_ns = time.monotonic_ns()
        self._take_census(self._polled_ns, tables=True)

    def _first(self) -> Followed:
        """The target, by its number in the kernel."""
        tasks = self._census.find(self._process.pid)
        if not len(tasks):
            self._process.check()
            raise NoKernelSupport(f"the kernel's list of tasks does not show process {self._process.pid}")
        self._numbers.learn(tasks)
        names = None if self._python is None else StackNames(self._python.layout)
        kernel_pid = int(tasks[0]["pid"])
        mappings = read_mappings(self._process)
        main = Followed(self._process.pid, kernel_pid, self._process, self._python, names, mappings=mappings)
        main.since_s = time.monotonic()
        self._followed[kernel_pid] = main
        return main

    def close(self) -> None:
        """Take everything out of the kernel. May be called twice; what takes time is left to a helper."""
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        self._programs.close()
        for one in self._followed.values():
            one.close()
        self._followed.clear()

    # Polling ----------------------------------------------------------------------------------------

    def poll(self) -> Batch | None:
        """What happened since the last call; None once nothing is followed any more."""
        if self._ring is None or not self._followed:
            return None
        if self._programs.attach_waiting():
            self._counted_ns = 0  # a census for what was missed meanwhile
        begin_ns, now_ns = self._polled_ns, time.monotonic_ns()
        self._take_census_if_due(now_ns)
        parcels = self._ring.drain()
        processes = records.process_records(parcels)
        now_s = now_ns / 1e9
        self._begin_to_follow(processes, now_s)
        stacks = self._resolve(records.stacks(parcels))
        growth = self._growth.take()
        batch = self._batch(parcels, processes, growth, stacks, (begin_ns, now_ns))
        self._end_to_follow(processes, now_s)
        self._look_for_pythons(now_s)
        # An event that was stamped before the last look was surely in the ring at this one.
        self._drained_ns, self._polled_ns = begin_ns, now_ns
        return batch

    def _batch(
        self,
        parcels: records.Parcels,
        processes: Rows,
        growth: Rows,
        stacks: Mapping[int, Stack],
        window: tuple[int, int],
    ) -> Batch:
        births, deaths, tables, collections = (records.table(parcels, kind, dtype) for kind, dtype in _TABLES)
        if self._numbers.unknown((births, deaths, tables, collections)):
            self._numbers.learn(self._census.take(tables=False))
        self._events.update(born=len(births), died_by_close=len(deaths))
        own = self._numbers.translated
        return Batch(
            source=NAME,
            begin_ns=window[0],
            end_ns=window[1],
            drained_ns=0 if HANDLES in self._shed else window[0],
            births=own(births, "pid", "tid"),
            paths=records.paths(parcels),
            deaths=own(deaths, "pid", "tid"),
            processes=self._process_rows(processes),
            tables=own(tables, "pid", "tid"),
            collections=own(collections, "pid", "tid"),
            growth=own(growth, "pid"),
            stacks=stacks,
            losses=self._losses.take(),
            invisible=self.invisible,
        )

    def _process_rows(self, sent: Rows) -> Rows:
        """Process records as rows: the child's number is memprobe's own."""
        level = sent.view(rows.PROCESS)
        if not self._numbers.is_initial and len(level):
            level = self._numbers.translated(level, "pid", "tid")
            level["other"] = sent["other_local"]
        return level

    def _resolve(self, stacks: list[records.RawStack]) -> dict[int, Stack]:
        """Name new stacks, process by process."""
        by_pid: dict[int, list[records.RawStack]] = {}
        for stack in stacks:
            by_pid.setdefault(stack.pid, []).append(stack)
        named: dict[int, Stack] = {}
        for pid, own in by_pid.items():
            one = self._followed.get(pid)
            if one is not None and one.names is not None:
                named |= one.names.resolve(own, one.pythons)
        return named

    # Processes that come and go ---------------------------------------------------------------------

    def _begin_to_follow(self, processes: Rows, now_s: float) -> None:
        if not self.options.tree:
            return
        for record in processes[processes["how"] == ProcessHow.FORK]:
            parent = self._followed.get(int(record["header"]["pid"]))
            kernel_pid, own = int(record["other"]), int(record["other_local"])
            if parent is not None and own:
                self._numbers.add(kernel_pid, own)
                self._followed[kernel_pid] = forked(parent, own, kernel_pid, now_s)

    def _end_to_follow(self, processes: Rows, now_s: float) -> None:
        for record in processes:
            kernel_pid, how = int(record["header"]["pid"]), int(record["how"])
            one = self._followed.get(kernel_pid)
            if one is None:
                continue
            if how == ProcessHow.EXEC:
                self._watching.leave(one)
                called_exec(one, now_s)
            elif how == ProcessHow.EXIT:
                self._forget(one)

    def _forget(self, one: Followed) -> None:
        self._watching.leave(one)
        self._growth.forget(one.kernel_pid)
        one.close()
        del self._followed[one.kernel_pid]

    def _look_for_pythons(self, now_s: float) -> None:
        """After exec: a few attempts at each process; and long-lived children get their uprobes."""
        for one in list(self._followed.values()):
            if is_due(one, now_s) and look_for_python(one):
                self._registry.has_python(one)
            self._watching.watch_if_due(one, now_s)

    # Census -----------------------------------------------------------------------------------------

    def _take_census_if_due(self, now_ns: int) -> None:
        options = self.options
        tables_due = bool(options.census_interval_s) and HANDLES not in self._shed
        if tables_due and now_ns - self._counted_ns >= options.census_interval_s * 1e9:
            self._take_census(now_ns, tables=True)
        elif now_ns - self._settled_ns >= options.settle_interval_s * 1e9:
            self._take_census(now_ns, tables=False)

    def settle(self) -> None:
        """Close the account of memory now, and have all tables reported."""
        self._take_census(time.monotonic_ns(), tables=True)

    def _take_census(self, now_ns: int, *, tables: bool) -> None:
        self._numbers.learn(self._census.take(tables=tables))
        self._settled_ns = now_ns
        if tables:
            self._counted_ns = now_ns

    # What the governor holds on to (vocab.costs.Metered, vocab.knobs.Sheddable) -----------------------

    def costs(self) -> SourceCosts:
        """What the programs have cost so far."""
        return source_costs(self._programs, self._events)

    @property
    def knobs(self) -> frozenset[Knob]:
        """What can be shed here."""
        return KNOBS

    def turn(self, knob: Knob, one_in: int) -> None:
        """Keep one in `one_in`; it takes effect at once, and what the kernel takes long for goes on behind.

        The programs fall silent through their settings, not by an empty map of targets: children and exec are
        still followed (three raw tracepoints on rare events, which detach in no time).
        """
        if knob is Knob.SYSCALL_PROBES:
            self._settings = replace(self._settings, handles=one_in != NOTHING)
        elif knob is Knob.MEMORY_PROBES:
            self._settings = replace(self._settings, growth=one_in != NOTHING and self.options.growth)
        elif knob is Knob.GROWTH_STACKS:
            self._settings = replace(self._settings, growth_stacks=one_in != NOTHING)
        elif knob is Knob.HANDLE_STACKS:
            self._settings = replace(self._settings, stacks=one_in != NOTHING, stack_every=one_in or 1)
        self._write_settings()
        self._attach_as_set()

    def _attach_as_set(self) -> None:
        """Bring what is attached in line with the settings."""
        for what, wanted in ((HANDLES, self._settings.handles), (GROWTH, self._settings.growth)):
            if wanted and what in self._shed:
                self._restore(what)
            elif not wanted and what not in self._shed:
                self._shed.add(what)
                self._programs.detach(*_SHED_TOGETHER[what], hook=_SHED_HOOKS.get(what))

    def _restore(self, what: str) -> None:
        """Attach again; the next census says what was missed."""
        self._shed.discard(what)
        self._programs.attach(*_SHED_TOGETHER[what], hook=_SHED_HOOKS.get(what))
        self._counted_ns = 0
        if what == GROWTH:
            for one in self._followed.values():
                one.has_edges = False
                self._watching.watch_faults(one)

    def _write_settings(self) -> None:
        content = self._settings.packed(self.options.seed)
        self._programs.maps.write_map("knobs", _ONLY, content)
