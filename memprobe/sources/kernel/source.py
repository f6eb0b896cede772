"""The source of tier 2: BPF programs in the kernel, and what they send."""

from __future__ import annotations

import select
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from memprobe.abi import RecordKind
from memprobe.native.bpf import Ring
from memprobe.sources.kernel import records
from memprobe.sources.kernel.attachments import Attachment
from memprobe.sources.kernel.births import Births
from memprobe.sources.kernel.census import Census
from memprobe.sources.kernel.costs import source_costs
from memprobe.sources.kernel.counters import Growth, Losses, system_calls
from memprobe.sources.kernel.family import Family
from memprobe.sources.kernel.kit import Kit
from memprobe.sources.kernel.mutators import Mutators
from memprobe.sources.kernel.options import KernelOptions
from memprobe.sources.kernel.own_word import OwnWord
from memprobe.sources.kernel.programs import Programs
from memprobe.sources.kernel.shedding import KNOBS, Shedding
from memprobe.sources.kernel.table import FIRST, GROWTH, HANDLES
from memprobe.sources.kernel.watchpoints import Watchpoints
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process
from memprobe.vocab import Stack, rows
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import SourceCosts
from memprobe.vocab.knobs import Knob
from memprobe.vocab.rows import Rows

NAME = "kernel"

MINIMUM_PAUSE_S = 0.02
"""Between two polls: 1 ms each, so that a flood of new stacks takes 5 % of a core at most."""

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
        self._shedding = Shedding(self._programs, self.options)
        self._family: Family | None = None
        self._watchpoints: Watchpoints | None = None
        self._births: Births | None = None
        self._mutators: Mutators | None = None
        self._ring: Ring | None = None
        self._calls = select.epoll()
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
        self._shedding.write_settings()
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
            self._family.mind_pools(growth, now_ns, is_growth_watched=not self._shedding.is_shed(GROWTH))
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
        self._events.update(born=len(births), died_by_close=len(deaths), mappings=system_calls(growth))
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
            drained_ns=0 if self._shedding.is_shed(HANDLES) else window[0],
            births=own(births, "pid", "tid"),
            paths=records.paths(parcels),
            deaths=own(deaths, "pid", "tid"),
            processes=family.numbers.of_processes(records.process_records(parcels)),
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
        tables_due = bool(options.census_interval_s) and not self._shedding.is_shed(HANDLES)
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
        """Keep one in `one_in`; the next census says what was missed by what is attached again."""
        restored = self._shedding.turn(knob, one_in)
        if restored:
            self._counted_ns = 0
        if GROWTH in restored and self._family is not None:
            self._family.watch()
