"""The source of tier 1 that sees handles come and go: system calls, traced in windows."""

from __future__ import annotations

import os
import select
import time
from collections import Counter
from dataclasses import replace

import numpy as np

from memprobe import abi
from memprobe.abi import RecordKind
from memprobe.errors import MemprobeError, NoKernelSupport
from memprobe.native.trace import Counts, End, Outcome, Tracer
from memprobe.sources.kernel import records
from memprobe.sources.kernel.options import Settings
from memprobe.sources.procfs.usage import Usage
from memprobe.sources.ptrace.family import Family
from memprobe.sources.ptrace.losses import Losses
from memprobe.sources.ptrace.options import PtraceOptions
from memprobe.sources.ptrace.pauses import Pauses
from memprobe.sources.ptrace.refusals import no_tracer, refusal
from memprobe.sources.ptrace.survivors import Survivors
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process
from memprobe.target.rights.rights import has_capability
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import SourceCosts
from memprobe.vocab.knobs import NOTHING, Knob
from memprobe.vocab.rows import Rows

NAME = "ptrace"

KNOBS = frozenset({Knob.HANDLE_STACKS, Knob.SYSCALL_PROBES})

MINIMUM_PAUSE_S = 0.02
"""Between two polls, so that a flood of new stacks takes a part of a core only."""

REACHED_WITHIN_S = 2.0
"""So long the first window may take to seize a thread; a busy machine is no error."""

WINDOWS = (
    "System calls are traced in short windows, as the budget allows: of handles that were opened between "
    "them the line is not known, and neither is how many came and went."
)
UNTRACED = "No system call is traced: {reason}."
ONLY_CALLS = "Where memory grows, who fills it, and the collector are not seen: ptrace shows system calls."
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
        self._tracer = Tracer(self.options.ring_bytes, records.SHAPES)
        self._calls = select.poll()
        self._calls.register(self._tracer.fileno(), select.POLLIN)
        self._pauses = Pauses(self.options.slowdown_pct, self.options.slice_ns)
        self._settings = Settings(stack_every=self.options.stack_every, stack_burst_ns=0)
        self._usage = Usage()
        self._losses = Losses()
        self.survivors = Survivors()
        """What was born in a window and is open as far as is known."""

        self._ends: Counter[int] = Counter()
        self._refused = self._no_tracer = ""
        self._in_window = self._closed = False
        self._last_counts = Counts(0, 0, 0, 0, 0, 0)
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
        return self._ends.total()

    # Life -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the first window; raises NotPermitted or NoKernelSupport if that cannot be."""
        self._polled_ns = time.monotonic_ns()
        try:
            self._begin()
            self._await_first_thread()
        except BaseException:
            self.close()
            raise

    def _await_first_thread(self) -> None:
        deadline = time.monotonic() + REACHED_WITHIN_S
        while time.monotonic() < deadline:
            outcome = Outcome(*self._tracer.outcome)
            if outcome.end in (End.REFUSED, End.UNSUPPORTED):
                raise refusal(self._process, outcome)
            if outcome.reached or outcome.end:
                return
            time.sleep(0.001)

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
            self._tracer.close()
            self._family.close()

    # Windows ----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Open a window."""
        self._family.look_for_children(time.monotonic())
        targets = self._family.targets()
        try:
            self._tracer.begin(
                targets,
                self._family.layouts,
                self._settings.packed(self.options.seed),
                children=self.options.tree,
                execs=has_capability("CAP_SYS_PTRACE"),
                slice_ns=self.options.slice_ns,
                share=self._pauses.share,
            )
        except OSError as error:
            raise no_tracer(error) from None
        self._in_window = True

    def _mind_window(self, now_ns: int) -> None:
        """Note the end of a window, or open the next one when it is due."""
        self._tracer.attend()
        if self._in_window and not self._tracer.goes_on:
            self._in_window = False
            outcome = Outcome(*self._tracer.outcome)
            self._ends[outcome.end] += 1
            self._refused = self._refusal(outcome)
            self._pauses.over(now_ns)
        if not self._in_window and self._may_begin(now_ns):
            self._begin_later(now_ns)

    def _begin_later(self, now_ns: int) -> None:
        """Open another window; where that cannot be it is tried again after a pause."""
        try:
            self._begin()
            self._no_tracer = ""
        except NoKernelSupport as error:
            self._no_tracer = UNTRACED.format(reason=error.line)
            self._pauses.over(now_ns)

    def _refusal(self, outcome: Outcome) -> str:
        """Why there can be no window at present; empty if there can."""
        if outcome.end not in (End.REFUSED, End.UNSUPPORTED):
            return ""
        try:
            return UNTRACED.format(reason=refusal(self._process, outcome).line)
        except MemprobeError:  # it has just ended
            return ""

    def _may_begin(self, now_ns: int) -> bool:
        if not self._settings.handles or not self._family or not self._pauses.is_due(now_ns):
            return False
        try:
            return self._process.folder.stat().state != "T"  # stopped: there is nothing to see
        except MemprobeError:
            return False

    # Polling ----------------------------------------------------------------------------------------

    def poll(self) -> Batch | None:
        """What happened since the last call; None once nothing is followed any more."""
        if self._closed:
            return None
        began_ns, now_ns = self._polled_ns, time.monotonic_ns()
        self._family.look(now_ns / 1e9)
        self._pauses.note(now_ns, self._cpu_ns())
        self._mind_window(now_ns)
        self._forget_calls()
        batch = self._batch(self._tracer.drain(), began_ns, now_ns)
        self._polled_ns = now_ns
        self._charged = (self._charged[1], self.counts)
        return batch if self._family or len(batch.births) or len(batch.deaths) else None

    def _forget_calls(self) -> None:
        try:
            os.read(self._tracer.fileno(), 8)
        except BlockingIOError:
            pass

    def _cpu_ns(self) -> int:
        return self._usage.read([self._process]).target_cpu_ns or 0

    def _batch(self, parcels: records.Parcels, began_ns: int, now_ns: int) -> Batch:
        processes = records.process_records(parcels)
        self._family.take(processes, now_ns / 1e9)
        stacks = self._family.resolve(records.stacks(parcels))
        own = {**self._family.lost, "record_unreadable": self._tracer.strange}
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
            losses=self._losses.take(self._tracer.losses, own),
            invisible=self._invisible(),
        )

    def _gone(self) -> Rows:
        """Deaths that nobody saw, of what was born in a window."""
        self.survivors.forget(self._family.pids)
        return self.survivors.gone(self._family.process, time.monotonic_ns())

    def _invisible(self) -> tuple[str, ...]:
        told = filter(None, (self._refused, self._no_tracer))
        return (WINDOWS, UNDISTURBED, ONLY_CALLS, *told, *self._family.invisible)

    # What the governor holds on to (vocab.costs.Metered, vocab.knobs.Sheddable) -----------------------

    @property
    def counts(self) -> Counts:
        """What the tracer has counted so far."""
        return self._last_counts if self._closed else Counts(*self._tracer.counts)

    def costs(self) -> SourceCosts:
        """How long threads of the target had been stopped before the last poll.

        One poll late: the first window is over before the governor looks for the first time.
        """
        counts = self._charged[0]
        return SourceCosts(
            stopped_ns=counts.stopped_ns,
            longest_stop_ns=counts.longest_ns,
            helper_cpu_ns=counts.cpu_ns if self._in_window and not self._closed else 0,
        )

    @property
    def knobs(self) -> frozenset[Knob]:
        """What can be shed here."""
        return KNOBS

    def turn(self, knob: Knob, one_in: int) -> None:
        """Keep one in `one_in`; the window that is open ends, the next one is as ordered."""
        kept = self._settings
        if knob is Knob.SYSCALL_PROBES:
            self._settings = replace(kept, handles=one_in != NOTHING)
        elif knob is Knob.HANDLE_STACKS:
            self._settings = replace(kept, stacks=one_in != NOTHING, stack_every=one_in or 1)
        if self._settings != kept and not self._closed:
            self._tracer.end()
