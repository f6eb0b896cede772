"""The source of tier 2: BPF programs in the kernel, and what they send."""

from __future__ import annotations

import select
import struct
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from memprobe.abi import GrowthHow, RecordKind
from memprobe.native.bpf import Ring
from memprobe.sources.kernel import records
from memprobe.sources.kernel.births import Births
from memprobe.sources.kernel.census import Census
from memprobe.sources.kernel.costs import source_costs
from memprobe.sources.kernel.counters import Growth, Losses
from memprobe.sources.kernel.family import Family
from memprobe.sources.kernel.kit import Kit
from memprobe.sources.kernel.mutators import Mutators
from memprobe.sources.kernel.numbers import Numbers
from memprobe.sources.kernel.options import KernelOptions
from memprobe.sources.kernel.own_word import OwnWord
from memprobe.sources.kernel.programs import FIRST, GROWTH, HANDLES, Attachment, Programs
from memprobe.sources.kernel.watchpoints import Watchpoints
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process
from memprobe.vocab import Stack, rows
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import SourceCosts
from memprobe.vocab.knobs import NOTHING, Knob
from memprobe.vocab.rows import Rows

NAME = "kernel"

MINIMUM_PAUSE_S = 0.02
"""Between two polls: 1 ms each, so that a flood of new stacks takes 5 % of a core at most."""

KNOBS = frozenset({Knob.GROWTH_STACKS, Knob.HANDLE_STACKS, Knob.MEMORY_PROBES, Knob.SYSCALL_PROBES})

# The system calls of `processes` (unshare, close_range) go with the handles; fork, exec and exit stay.
_SHED_TOGETHER = {HANDLES: (HANDLES, FIRST), GROWTH: (GROWTH, "allocator", "collector")}
_SHED_HOOKS = {HANDLES: "tracepoint"}

MAPPINGS = (GrowthHow.MMAP, GrowthHow.MMAP_FILE, GrowthHow.BRK, GrowthHow.ADVISED)
"""Growth whose events are system calls."""

_ONLY = struct.pack("=I", 0)
_TABLES = (
    (RecordKind.BIRTH, rows.BIRTH),
    (RecordKind.DEATH, rows.DEATH),
    (RecordKind.TABLE, rows.TABLE),
    (RecordKind.COLLECTION, rows.COLLECTION),
)


class KernelSource:
    """Handles, growth and collections of a process (and its children), each with its Python stack."""

    def __init__(
        self,
        process: Process,
        python: Python | None,
        options: KernelOptions | None = None,
        kit: Kit | None = None,
    ) -> None:
        """Prepare to follow a process; `python` is what runs in it, None if it is not known."""
        self.options = options or KernelOptions()
        self._process, self._python = process, python
        self._programs = Programs(self.options, kit)
        self._settings = replace(
            self.options.settings, handles=self.options.settings.handles and self.options.handles
        )
        self._family: Family | None = None
        self._watchpoints: Watchpoints | None = None
        self._births: Births | None = None
        self._mutators: Mutators | None = None
        self._ring: Ring | None = None
        self._calls = select.epoll()
        self._shed: set[str] = set() if self.options.handles else {HANDLES}
        self._events: Counter[str] = Counter()
        self._ended: list[int] = []
        self._polled_ns = 0
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
        return self._programs.invisible + (() if self._family is None else self._family.invisible)

    @property
    def attached(self) -> tuple[Attachment, ...]:
        """All that is attached at present."""
        return self._programs.attached

    def knows_stacks(self, pid: int) -> bool:
        """Whether stacks of this process can be taken at present."""
        return self._family is not None and self._family.knows_stacks(pid)

    @property
    def knows_python(self) -> bool:
        """Whether there is a process of which stacks can be taken."""
        return self._family is not None and self._family.knows_python

    @property
    def sees_processes(self) -> bool:
        """All of them: fork, exec and exit are never shed."""
        return True

    @property
    def watchpoints(self) -> Watchpoints:
        """Watchpoints on words of the processes that are followed; only while it runs."""
        if self._watchpoints is None:
            assert self._family is not None, "not started"
            self._watchpoints = Watchpoints(self._programs, self._family)
        return self._watchpoints

    @property
    def own_word(self) -> OwnWord:
        """What the cost of a watchpoint's hit is measured on; only while this runs."""
        return OwnWord(self._programs)

    @property
    def births(self) -> Births | None:
        """What makes bursts on the target; None if it is no Python. Only while this runs."""
        if self._births is None and self._python is not None:
            self._births = Births(self._programs, self._process, self._python)
        return self._births

    @property
    def mutators(self) -> Mutators | None:
        """What sees changes of containers without watchpoints; None if the target is no Python."""
        if self._mutators is None and self._python is not None:
            assert self._family is not None, "not started"
            self._mutators = Mutators(self._programs, self._family, self._process, self._python)
        return self._mutators

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
        # Edges: readable is the ring whenever something is in it, but only a call of the programs is urgent.
        self._calls.register(self._ring.fileno(), select.EPOLLIN | select.EPOLLET)
        self._losses, self._growth = Losses(maps), Growth(maps)
        self._census = Census(self._programs)
        self._family = Family(self._programs, self._census, self.options)
        self._family.follow(self._process, self._python)
        self._programs.attach(FIRST, HANDLES, GROWTH, hook=None if self.options.handles else "raw_tracepoint")
        if self.options.tree:
            self._family.follow_descendants(self._process.pid)
        self._family.watch()
        self._write_settings()
        self._polled_ns = time.monotonic_ns()
        self.settle()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is time to poll: the programs call (a new stack, a full ring) or the time is up.

        A new stack should be looked up before its code objects can go. True if they called; not before
        MINIMUM_PAUSE_S after the last poll, however much there is to say.
        """
        if self._ring is None:
            return False
        called = bool(self._calls.poll(timeout_s))
        pause_s = MINIMUM_PAUSE_S - (time.monotonic_ns() - self._polled_ns) / 1e9
        if called and pause_s > 0:
            time.sleep(min(pause_s, timeout_s))
        return called

    def close(self) -> None:
        """Take everything out of the kernel. May be called twice; what takes time is left to a helper."""
        self._calls.close()
        for held in (self._births, self._mutators):
            if held is not None:
                held.close()
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        self._programs.close()
        if self._family is not None:
            self._family.close()

    # Polling ----------------------------------------------------------------------------------------

    def poll(self) -> Batch | None:
        """What happened since the last call; None once nothing is followed any more."""
        if self._ring is None or self._family is None or not (self._family or self._ended):
            return None
        family, begin_ns, now_ns = self._family, self._polled_ns, time.monotonic_ns()
        if self._programs.attach_waiting():
            self._counted_ns = 0  # a census for what was missed meanwhile
        self._take_census_if_due(now_ns)
        # Before the ring: so the stacks that grew are in it by now.
        growth = self._take_growth()
        parcels = self._ring.drain()
        processes = records.process_records(parcels)
        family.take_forks(processes, now_ns / 1e9)
        stacks = family.resolve(records.stacks(parcels))
        batch = self._batch(family, parcels, growth, stacks, (begin_ns, now_ns))
        self._ended = family.take_ends(processes, now_ns / 1e9)
        family.look_for_pythons(now_ns / 1e9)
        self._polled_ns = now_ns
        return batch

    def _take_growth(self) -> Rows:
        """Growth since the last time. Of who had ended by then it is the last: make room."""
        growth = self._growth.take()
        for kernel_pid in self._ended:
            self._growth.forget(kernel_pid)
        if self._family is not None:
            now_ns = time.monotonic_ns()
            self._family.mind_pools(growth, now_ns, is_growth_watched=GROWTH not in self._shed)
        return growth

    def _batch(
        self,
        family: Family,
        parcels: records.Parcels,
        growth: Rows,
        stacks: Mapping[int, Stack],
        window: tuple[int, int],
    ) -> Batch:
        births, deaths, tables, collections = (records.table(parcels, kind, dtype) for kind, dtype in _TABLES)
        mapped = int(growth["events"][np.isin(growth["how"], MAPPINGS)].sum())
        self._events.update(born=len(births), died_by_close=len(deaths), mappings=mapped)
        family.learn_numbers((births, deaths, tables, collections))
        own = family.numbers.translated
        lost = {
            "record_unreadable": self._ring.strange if self._ring is not None else 0,
            "code_gone": family.codes_gone,
            "targets_full": family.left_out,
            "program_skipped": self._programs.skipped,
        }
        return Batch(
            source=NAME,
            begin_ns=window[0],
            end_ns=window[1],
            # An event that was stamped before the last look was surely in the ring at this one.
            drained_ns=0 if HANDLES in self._shed else window[0],
            births=own(births, "pid", "tid"),
            paths=records.paths(parcels),
            deaths=own(deaths, "pid", "tid"),
            processes=_process_rows(records.process_records(parcels), family.numbers),
            tables=own(tables, "pid", "tid"),
            collections=own(collections, "pid", "tid"),
            growth=own(growth, "pid"),
            stacks=stacks,
            losses=self._losses.take(**lost),
            invisible=self.invisible,
        )

    # Census -----------------------------------------------------------------------------------------

    def _take_census_if_due(self, now_ns: int) -> None:
        options = self.options
        tables_due = bool(options.census_interval_s) and HANDLES not in self._shed
        if tables_due and now_ns - self._counted_ns >= options.census_interval_s * 1e9:
            self.settle()
        elif now_ns - self._settled_ns >= options.settle_interval_s * 1e9:
            self._census.settle(self._family.pids if self._family else ())
            self._settled_ns = now_ns

    def settle(self) -> None:
        """Close the account of memory now, and have all tables reported."""
        if self._family is not None:
            self._family.numbers.learn(self._census.take(self._family.pids))
            self._settled_ns = self._counted_ns = time.monotonic_ns()

    # What the governor holds on to (vocab.costs.Metered, vocab.knobs.Sheddable) -----------------------

    def costs(self) -> SourceCosts:
        """What the programs have cost so far."""
        switches = None if self._watchpoints is None else self._watchpoints.switches()
        return replace(source_costs(self._programs, self._events), target_switches=switches)

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
        if what == GROWTH and self._family is not None:
            self._family.watch()

    def _write_settings(self) -> None:
        content = self._settings.packed(self.options.seed)
        self._programs.maps.write_map("knobs", _ONLY, content)


def _process_rows(sent: Rows, numbers: Numbers) -> Rows:
    """Process records as rows: the child's number is memprobe's own."""
    level = sent.view(rows.PROCESS)
    if not numbers.is_initial and len(level):
        level = numbers.translated(level, "pid", "tid")
        level["other"] = sent["other_local"]
    return level
