"""The windows in which a tracer is at the target: when they begin, what they may cost, why they cannot be."""

from __future__ import annotations

import time
from collections import Counter

from memprobe.errors import MemprobeError, NoKernelSupport
from memprobe.native.trace import Burst, Counts, End, Outcome, Tracer
from memprobe.sources.kernel import records
from memprobe.sources.kernel.options import Settings
from memprobe.sources.ptrace.family import Family
from memprobe.sources.ptrace.options import PtraceOptions
from memprobe.sources.ptrace.pauses import Pauses
from memprobe.sources.ptrace.refusals import no_tracer, refusal
from memprobe.target.proc.process import Process
from memprobe.target.rights.rights import has_capability

REACHED_WITHIN_S = 2.0
"""So long the first window may take to seize a thread; a busy machine is no error."""

BURST_PATIENCE_S = 1.0
"""So much longer than it should a burst may take, to seize the threads and to let them go."""

LOOK_S = 0.005

UNTRACED = "No system call is traced: {reason}."


class Windows:
    """Windows on the system calls of a family, one after the other; bursts on words of its first process."""

    def __init__(self, process: Process, family: Family, options: PtraceOptions) -> None:
        self._process, self._family, self._options = process, family, options
        self.tracer = Tracer(options.ring_bytes, records.SHAPES)
        self.settings = Settings(stack_every=options.stack_every, stack_burst_ns=0)
        """What the next window does."""

        self.pauses = Pauses(options.slowdown_pct, options.slice_ns)
        self.ends: Counter[int] = Counter()
        """Why those that are over have ended."""

        self.is_open = False
        """Whether there is one; a burst between two windows is none."""

        self._refused = self._no_tracer = ""
        self._began_ns = self._stopped_before_ns = 0

    @property
    def counts(self) -> Counts:
        """What the tracer has counted so far."""
        return Counts(*self.tracer.counts)

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why there is no window at present, as sentences."""
        return tuple(filter(None, (self._refused, self._no_tracer)))

    # Windows ----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Open a window; raises NoKernelSupport if no tracer can be made."""
        self._family.look_for_children(time.monotonic())
        self._trace(self._family.targets(), self.pauses.slice_ns)
        self.is_open = True
        self._began_ns, self._stopped_before_ns = time.monotonic_ns(), self.counts.stopped_ns

    def _trace(
        self,
        targets: bytes,
        slice_ns: int,
        *,
        words: bytes = b"",
        burst_s: float = 0.0,
        hits: int = 0,
        only_burst: bool = False,
    ) -> None:
        """Have a tracer at its work. Who may not follow an exec must see it coming, and so traces calls."""
        follows_exec = has_capability("CAP_SYS_PTRACE")
        try:
            self.tracer.begin(
                targets,
                self._family.layouts,
                self.settings.packed(self._options.seed),
                children=self._options.tree and not only_burst,
                execs=follows_exec,
                slice_ns=slice_ns,
                share=self.pauses.share,
                calls=not (only_burst and follows_exec),
                only_burst=only_burst,
                words=words,
                burst_ns=int(burst_s * 1e9),
                burst_hits=hits,
            )
        except OSError as error:
            raise no_tracer(error) from None

    def await_first_thread(self) -> None:
        """Wait until the window that was opened has a thread; raises NotPermitted or NoKernelSupport."""
        deadline = time.monotonic() + REACHED_WITHIN_S
        while time.monotonic() < deadline:
            outcome = Outcome(*self.tracer.outcome)
            if outcome.end in (End.REFUSED, End.UNSUPPORTED):
                raise refusal(self._process, outcome)
            if outcome.reached or outcome.end:
                return
            time.sleep(0.001)

    def mind(self, now_ns: int) -> None:
        """Note the end of a window, or open the next one when it is due."""
        self.tracer.attend()
        if self.is_open and not self.tracer.goes_on:
            self.is_open = False
            outcome = Outcome(*self.tracer.outcome)
            self.ends[outcome.end] += 1
            self._refused = self._refusal(outcome)
            self.pauses.over(now_ns)
        if not self.is_open and self._may_begin(now_ns):
            self._begin_later(now_ns)

    def _begin_later(self, now_ns: int) -> None:
        """Open another window; where that cannot be it is tried again after a pause."""
        try:
            self.begin()
            self._no_tracer = ""
        except NoKernelSupport as error:
            self._no_tracer = UNTRACED.format(reason=error.line)
            self.pauses.over(now_ns)

    def _refusal(self, outcome: Outcome) -> str:
        """Why there can be no window at present; empty if there can."""
        if outcome.end not in (End.REFUSED, End.UNSUPPORTED):
            return ""
        try:
            return UNTRACED.format(reason=refusal(self._process, outcome).line)
        except MemprobeError:  # it has just ended
            return ""

    def _may_begin(self, now_ns: int) -> bool:
        if not self.settings.handles or not self._family or not self.pauses.is_due(now_ns):
            return False
        return self._goes_on()

    def _goes_on(self) -> bool:
        """Whether the target is not stopped: else there is nothing to see."""
        try:
            return self._process.folder.stat().state != "T"
        except MemprobeError:
            return False

    # Bursts -----------------------------------------------------------------------------------------

    def burst(self, words: bytes, longest_s: float, hits: int) -> tuple[Burst, int] | None:
        """Watch words of the first process; what that has shown and cost, None if it could not be.

        The window that is open goes on with the burst and behind it, with what it may still cost.
        """
        targets = self._family.targets() if self.is_open else self._family.first_target()
        if not targets or not self._goes_on():
            return None
        left_ns, before_ns = self._left_ns(), self.counts.watched_ns
        self.tracer.end()
        try:
            self._trace(
                targets, left_ns, words=words, burst_s=longest_s, hits=hits, only_burst=not self.is_open
            )
        except NoKernelSupport:
            return None  # the next window says so
        burst = self._await_burst(longest_s + BURST_PATIENCE_S)
        cost_ns = self.counts.watched_ns - before_ns
        self.pauses.charge(time.monotonic_ns(), cost_ns)
        return None if burst is None else (burst, cost_ns)

    def _left_ns(self) -> int:
        """For how long threads may still be stopped in the window that is open, or in one of its own."""
        slice_ns = self.pauses.slice_ns
        if not self.is_open:
            return slice_ns
        earned_ns = int(self.pauses.share * (time.monotonic_ns() - self._began_ns))
        spent_ns = self.counts.stopped_ns - self._stopped_before_ns
        return min(slice_ns, max(0, slice_ns + earned_ns - spent_ns))

    def _await_burst(self, patience_s: float) -> Burst | None:
        """Wait until a burst is over, and a window that was for it alone."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            self.tracer.attend()
            told = self.tracer.burst
            if not self.tracer.goes_on or (told is not None and self.is_open):
                break
            time.sleep(LOOK_S)
        if not self.is_open:
            self.tracer.end()
        told = self.tracer.burst
        return None if told is None else Burst(*told)
