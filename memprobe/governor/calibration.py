"""What a hit costs that BPF's own statistics do not see, measured on this machine.

Those statistics count the time inside a program. Around it there is more: the trap of an uprobe, the way
to a tracepoint's programs, and for an enabled system-call tracepoint the longer way of every system call
of every process. All of that hits memprobe too, so it times itself; nothing is done to the target:

    syscall_ns      getppid, before the tracepoints are attached and after: the difference
    dispatch        fcntl(F_GETFD), which has a tracepoint with a program, before and after: the difference,
                    less syscall_ns, less what the program took by BPF's statistics
    foreign_run_ns  what the program took there: memprobe is no target, so it ends at its first look-up
    uprobes         a function of memprobe's own, before an uprobe is attached to it and after
    watchpoints     a word of memprobe's own, before a watchpoint is set on it and after

Each is the difference of two minima of the mean over short rounds: disturbances only ever add. A
measurement ends at its deadline (SHARE_NS, four shares make 50 ms; the detaching of a calibration uprobe
takes the kernel another 0.1 s, in which memprobe can go on). A difference that makes no sense (the machine
changed its speed in between) is not used: the assumed figure stays, and `measured` does not name it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import repeat
from types import MappingProxyType

from memprobe.vocab.costs import Hook, ProgramRuns

Clock = Callable[[], int]
Call = Callable[[], object]

CALLS = 400
"""Calls in a round: some 50 us, shorter than a time slice, so most rounds are not interrupted."""

DEAR_CALLS = 20
"""Of those that a watchpoint traps, 25 us each."""

ROUNDS = 60
"""More rounds than the deadline allows for slow calls."""

SHARE_NS = 12_000_000
"""The deadline of one measurement."""

PLAUSIBLE_NS = {"syscall": (10.0, 600.0), "dispatch": (0.0, 3_000.0), "uprobe": (100.0, 50_000.0)}
"""Differences outside of these are no measurement."""

ASSUMED_HOOK_NS: Mapping[Hook, float] = MappingProxyType(
    {
        Hook.SYSCALL: 100.0,
        Hook.RAW_TRACEPOINT: 50.0,
        Hook.PERF_EVENT: 300.0,
        Hook.UPROBE: 750.0,
        Hook.UPROBE_STEPPED: 8_000.0,
        Hook.UPROBE_RETURN: 1_400.0,
        Hook.WATCHPOINT: 20_000.0,
        Hook.OWN: 0.0,
    }
)
"""From FACTS and bench/ (kernel 6.18, a VM with 2 cores), rounded up."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What hits cost. The defaults are assumed; `measured` names what was measured here."""

    syscall_ns: float = 75.0
    """Each system call of the target while any system-call tracepoint is enabled."""

    hook_ns: Mapping[Hook, float] = field(default_factory=lambda: ASSUMED_HOOK_NS)
    """The way to a program and back, without the program."""

    foreign_run_ns: float = 120.0
    """A program's run for a process that is no target."""

    assumed_run_ns: float = 1_000.0
    """A program's run in a target, where BPF statistics are not permitted (0.55 us without a stack)."""

    switch_first_ns: float = 1_440.0
    """A context switch of the target with one watchpoint armed (pipe round trip 5.45 -> 6.89 us)."""

    switch_more_ns: float = 340.0
    """Each further watchpoint (four: 7.91 us)."""

    measured: frozenset[str] = frozenset()
    """Names of what was measured on this machine."""

    def with_hook(self, hook: Hook, cost_ns: float, name: str) -> Calibration:
        """Return a calibration that knows one hook better."""
        hooks = MappingProxyType({**self.hook_ns, hook: cost_ns})
        return replace(self, hook_ns=hooks, measured=self.measured | {name})


def time_per_call_ns(
    call: Call, clock: Clock = time.perf_counter_ns, limit_ns: int = SHARE_NS, calls: int = CALLS
) -> float:
    """Return the least mean time of a call over rounds; ends after `limit_ns`, but not without a round."""
    begin, best = clock(), float("inf")
    for _ in range(ROUNDS):
        start = clock()
        for _ in repeat(None, calls):
            call()
        end = clock()
        best = min(best, (end - start) / calls)
        if end - begin >= limit_ns:
            break
    return best


@dataclass(frozen=True, slots=True)
class Laboratory:
    """The calls that are timed; a test brings its own."""

    plain: Call
    """A system call without a tracepoint of memprobe's."""

    probed: Call
    """A system call with one."""

    clock: Clock = time.perf_counter_ns

    @classmethod
    def here(cls) -> Laboratory:
        """Memprobe's own process."""
        import fcntl
        import os
        import select

        descriptor = select.epoll()  # any will do; this one goes with the laboratory
        return cls(plain=os.getppid, probed=lambda: fcntl.fcntl(descriptor, fcntl.F_GETFD))


class Calibrator:
    """Measures around the attaching of the probes: `before()`, attach, `after()`."""

    def __init__(self, laboratory: Laboratory | None = None) -> None:
        self._laboratory = laboratory
        self._clock = time.perf_counter_ns if laboratory is None else laboratory.clock
        self._before: tuple[float, float] | None = None
        self.calibration = Calibration()
        """The best that is known so far."""

    def before(self) -> None:
        """Time the calls while nothing is attached. At most 24 ms."""
        self._laboratory = self._laboratory or Laboratory.here()
        self._before = self._times(self._laboratory)

    def after(self, program: Callable[[], ProgramRuns]) -> Calibration:
        """Time them again, with `program` on the probed call. At most 24 ms."""
        if self._before is None or self._laboratory is None:
            return self.calibration
        start = program()
        plain_ns, probed_ns = self._times(self._laboratory)
        run_ns = _mean_run_ns(start, program())
        self._laboratory = None  # and its descriptor
        tax_ns, probed_ns = plain_ns - self._before[0], probed_ns - self._before[1]
        if _plausible("syscall", tax_ns):
            self.calibration = _improved(self.calibration, tax_ns, probed_ns, run_ns)
        return self.calibration

    def uprobe(
        self,
        call: Call,
        attached: AbstractContextManager[Callable[[], ProgramRuns]],
        hook: Hook = Hook.UPROBE,
        calls: int = CALLS,
    ) -> Calibration:
        """Time a function of memprobe's own without and with the probe that `attached` puts on it.

        At most 24 ms without attaching and detaching; only for runs that use uprobes.
        """
        free_ns = time_per_call_ns(call, self._clock, SHARE_NS)
        with attached as program:
            start = program()
            hit_ns = time_per_call_ns(call, self._clock, SHARE_NS, calls) - free_ns
            trap_ns = hit_ns - (_mean_run_ns(start, program()) or 0.0)
        if _plausible("uprobe", trap_ns):
            self.calibration = self.calibration.with_hook(hook, trap_ns, str(hook))
        return self.calibration

    def watch_hit_ns(
        self, call: Call, attached: AbstractContextManager[Callable[[], ProgramRuns]], program_ns: float
    ) -> float:
        """What a hit of a watchpoint costs in all, if its program takes so long: measured as an uprobe is."""
        self.uprobe(call, attached, Hook.WATCHPOINT, DEAR_CALLS)
        return self.calibration.hook_ns[Hook.WATCHPOINT] + program_ns

    def _times(self, laboratory: Laboratory) -> tuple[float, float]:
        """The plain call and the probed one."""
        plain_ns = time_per_call_ns(laboratory.plain, laboratory.clock)
        return plain_ns, time_per_call_ns(laboratory.probed, laboratory.clock)


def _improved(known: Calibration, tax_ns: float, probed_ns: float, run_ns: float | None) -> Calibration:
    """A calibration with the tax, and with the dispatch and the foreign run if they make sense."""
    better = replace(known, syscall_ns=tax_ns, measured=known.measured | {"syscall"})
    dispatch_ns = probed_ns - tax_ns - (run_ns or 0.0)
    if run_ns is None or not _plausible("dispatch", dispatch_ns):
        return better
    better = replace(better, foreign_run_ns=run_ns, measured=better.measured | {"foreign run"})
    return better.with_hook(Hook.SYSCALL, dispatch_ns, "dispatch")


def _mean_run_ns(start: ProgramRuns, end: ProgramRuns) -> float | None:
    """The mean run of a program between two readings; None without BPF statistics."""
    if start.runs is None or start.run_ns is None or end.runs is None or end.run_ns is None:
        return None
    runs = end.runs - start.runs
    return (end.run_ns - start.run_ns) / runs if runs > 0 else None


def _plausible(name: str, cost_ns: float) -> bool:
    """Whether a difference can be a cost."""
    low, high = PLAUSIBLE_NS[name]
    return low <= cost_ns <= high
