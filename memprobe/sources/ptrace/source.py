"""The source of tier 1 that sees handles come and go: system calls, traced in windows."""

from __future__ import annotations

import os
import select
import time
from dataclasses import replace

import numpy as np

from memprobe import abi
from memprobe.abi import RecordKind
from memprobe.native.trace import Counts
from memprobe.sources.kernel import records
from memprobe.sources.procfs.usage import Usage
from memprobe.sources.ptrace.bursts import TracedBursts
from memprobe.sources.ptrace.family import Family
from memprobe.sources.ptrace.losses import Losses
from memprobe.sources.ptrace.options import PtraceOptions
from memprobe.sources.ptrace.survivors import Survivors
from memprobe.sources.ptrace.windows import Windows
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import SourceCosts
from memprobe.vocab.knobs import NOTHING, Knob
from memprobe.vocab.rows import Rows

NAME = "ptrace"

KNOBS = frozenset({Knob.HANDLE_STACKS, Knob.SYSCALL_PROBES})

MINIMUM_PAUSE_S = 0.02
"""Between two polls, so that a flood of new stacks takes a part of a core only."""

WINDOWS = (
    "System calls are traced in short windows, as the budget allows: of handles that were opened between "
    "them the line is not known, and neither is how many came and went."
)
ONLY_CALLS = "Where memory grows and the collector are not seen: ptrace shows system calls."
UNDISTURBED = (
    "Threads that wait in a call that a stop would change (epoll_wait with a time limit, a write that "
    "blocks) are not disturbed: such a thread is traced from when it was next met elsewhere."
)


class PtraceSource:
    """Births and deaths of the handles of a process (and its children) in windows, births with their stacks.

    Between windows nothing is traced, and none of this process's own threads is ever a tracer.
    """

    def __init__(self, process: Process, python: Python | None, options: PtraceOptions | None = None) -> None:
        """Prepare to follow a process; `python` is what runs in it, None if it is not known (yet)."""
        self.options = options or PtraceOptions()
        self._process = process
        self._family = Family(process, python, tree=self.options.tree)
        self._windows = Windows(process, self._family, self.options)
        self._calls = select.poll()
        self._calls.register(self._windows.tracer.fileno(), select.POLLIN)
        self._usage = Usage()
        self._losses = Losses()
        self.survivors = Survivors()
        """What was born in a window and is open as far as is known."""

        self._bursts = TracedBursts(process.pid, self._windows.burst)
        self._closed = False
        self._last_counts = Counts(*[0] * len(Counts._fields))
        self._charged = (self._last_counts, self._last_counts)
        self._polled_ns = 0

    @property
    def name(self) -> str:
        """The name that batches carry."""
        return NAME

    @property
    def tier(self) -> int:
        """Tier 1: what ptrace rights give."""
        return 1

    @property
    def knows_python(self) -> bool:
        """Whether there is a process of which stacks can be taken."""
        return self._family.knows_python

    @property
    def sees_processes(self) -> bool:
        """Only while a window is open; /proc tells of the others."""
        return False

    @property
    def windows(self) -> int:
        """How many windows are over."""
        return self._windows.ends.total()

    @property
    def mutators(self) -> TracedBursts | None:
        """What sees in bursts who fills containers; None where there is no Python."""
        return self._bursts if self._family.knows_python else None

    # Life -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the first window; raises NotPermitted or NoKernelSupport if that cannot be."""
        self._polled_ns = time.monotonic_ns()
        try:
            self._windows.begin()
            self._windows.await_first_thread()
        except BaseException:
            self.close()
            raise

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is time to poll: something came that cannot wait, or the time is up."""
        called = bool(self._calls.poll(timeout_s * 1000))
        pause_s = MINIMUM_PAUSE_S - (time.monotonic_ns() - self._polled_ns) / 1e9
        if called and pause_s > 0:
            time.sleep(min(pause_s, timeout_s))
        return called

    def settle(self) -> None:
        """There are no accounts to close: pictures of /proc say what is open."""

    def close(self) -> None:
        """Let the target go. May be called twice."""
        if not self._closed:
            self._last_counts = self.counts
            self._closed = True
            self._windows.tracer.close()
            self._family.close()

    # Polling ----------------------------------------------------------------------------------------

    def poll(self) -> Batch | None:
        """What happened since the last call; None once nothing is followed any more."""
        if self._closed:
            return None
        began_ns, now_ns = self._polled_ns, time.monotonic_ns()
        self._family.look(now_ns / 1e9)
        self._windows.pauses.note(now_ns, self._cpu_ns())
        self._windows.mind(now_ns)
        self._forget_calls()
        batch = self._batch(self._windows.tracer.drain(), began_ns, now_ns)
        self._polled_ns = now_ns
        self._charged = (self._charged[1], self.counts)
        return batch if self._family or len(batch.births) or len(batch.deaths) else None

    def _forget_calls(self) -> None:
        try:
            os.read(self._windows.tracer.fileno(), 8)
        except BlockingIOError:
            pass

    def _cpu_ns(self) -> int:
        return self._usage.read([self._process]).target_cpu_ns or 0

    def _batch(self, parcels: records.Parcels, began_ns: int, now_ns: int) -> Batch:
        processes = records.process_records(parcels)
        self._family.take(processes, now_ns / 1e9)
        stacks = self._family.resolve(records.stacks(parcels))
        own = {**self._family.lost, "record_unreadable": self._windows.tracer.strange}
        deaths = records.table(parcels, RecordKind.DEATH, rows.DEATH)
        self.survivors.take(records.table(parcels, RecordKind.LINK, abi.LINK_RECORD), deaths)
        return Batch(
            source=NAME,
            begin_ns=began_ns,
            end_ns=now_ns,
            drained_ns=0,  # nobody watches between windows: pictures count at once
            births=records.table(parcels, RecordKind.BIRTH, rows.BIRTH),
            paths=records.paths(parcels),
            deaths=np.concatenate([deaths, self._gone()]),
            processes=processes.view(rows.PROCESS),
            stacks=stacks,
            losses=self._losses.take(self._windows.tracer.losses, own),
            invisible=self._invisible(),
        )

    def _gone(self) -> Rows:
        """Deaths that nobody saw, of what was born in a window."""
        self.survivors.forget(self._family.pids)
        return self.survivors.gone(self._family.process, time.monotonic_ns())

    def _invisible(self) -> tuple[str, ...]:
        return (WINDOWS, UNDISTURBED, ONLY_CALLS, *self._windows.refusals, *self._family.invisible)

    # What the governor holds on to (vocab.costs.Metered, vocab.knobs.Sheddable) -----------------------

    @property
    def counts(self) -> Counts:
        """What the tracer has counted so far."""
        return self._last_counts if self._closed else self._windows.counts

    def costs(self) -> SourceCosts:
        """How long threads of the target had been stopped before the last poll.

        One poll late: the first window is over before the governor looks for the first time.
        """
        counts = self._charged[0]
        return SourceCosts(
            stopped_ns=counts.stopped_ns,
            longest_stop_ns=counts.longest_ns,
            helper_cpu_ns=counts.cpu_ns if self._windows.is_open and not self._closed else 0,
        )

    @property
    def knobs(self) -> frozenset[Knob]:
        """What can be shed here."""
        return KNOBS

    def turn(self, knob: Knob, one_in: int) -> None:
        """Keep one in `one_in`; the window that is open ends, the next one is as ordered."""
        kept = self._windows.settings
        if knob is Knob.SYSCALL_PROBES:
            self._windows.settings = replace(kept, handles=one_in != NOTHING)
        elif knob is Knob.HANDLE_STACKS:
            self._windows.settings = replace(kept, stacks=one_in != NOTHING, stack_every=one_in or 1)
        if self._windows.settings != kept and not self._closed:
            self._windows.tracer.end()
