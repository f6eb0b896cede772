"""What the time between two samples cost the target and memprobe, part by part.

Parts of it are in percent of one core: 1 % is 10 ms per second, whatever thread of the target paid it. What
the budget holds and the report prints is the share of the target's own CPU time (`due_target_ns`), which
counts as LEAST_SHARE of a core at least; for a target that keeps many cores busy it counts as one, so that
the figure is an upper bound.
Not in it: the memory bandwidth that reading the heap takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from memprobe.governor.calibration import Calibration
from memprobe.vocab.costs import CostSample, Hook, ProgramRuns, SourceCosts

TRAPS = frozenset({Hook.UPROBE, Hook.UPROBE_STEPPED, Hook.UPROBE_RETURN, Hook.WATCHPOINT})
"""Hooks that are reached by a trap, whose cost is shown as a part of its own."""

PER_TARGET = TRAPS | {Hook.PERF_EVENT}
"""Hooks that fire in targets only; the others fire for every process of the machine."""


LEAST_SHARE = 0.2
"""A target that uses less of a core than this is charged as if it used so much: else a nearly idle one, to
which nothing matters, would have nothing observed."""


@dataclass(frozen=True, slots=True)
class TargetCost:
    """Nanoseconds that the target lost, by cause."""

    programs_ns: float = 0.0
    """BPF programs, as the kernel's statistics measured them."""

    dispatch_ns: float = 0.0
    """The way to a program and back: hits at a calibrated cost."""

    syscalls_ns: float = 0.0
    """Every system call takes a longer way while a tracepoint of one is enabled."""

    traps_ns: float = 0.0
    """Uprobes and watchpoints: hits at a calibrated cost."""

    switches_ns: float = 0.0
    """Armed watchpoints make context switches slower."""

    stops_ns: float = 0.0
    """Times it was stopped."""

    @property
    def total_ns(self) -> float:
        """All of it."""
        return float(sum(getattr(self, part.name) for part in fields(self)))

    def __add__(self, other: TargetCost) -> TargetCost:
        """Return the sum, part by part."""
        return TargetCost(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))


@dataclass(frozen=True, slots=True)
class Activity:
    """How busy the target is by itself, whether or not probes are attached."""

    kind: str
    """What was counted; only rates of one kind can be compared."""

    per_s: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What one stretch of time cost."""

    elapsed_ns: int

    target: TargetCost

    own_cpu_ns: int

    syscalls: int = 0
    """System calls of the target that were taxed."""

    syscalls_exact: bool = True

    runs_measured: bool = True
    """False: BPF statistics were not permitted, programs were counted at an assumed cost per run."""

    target_cpu_ns: int | None = None

    activity: Activity | None = None

    ahead_ns: int = 0
    """What of own_cpu_ns was spent ahead of a share that is paid back later; below 0: was paid back."""

    @property
    def due_target_ns(self) -> float:
        """What the budget is charged for the target, which is made for one that keeps a core busy."""
        return self.target.total_ns / self.busy_share

    @property
    def busy_share(self) -> float:
        """How much of a core the target keeps busy, as far as the budget goes."""
        if self.target_cpu_ns is None:
            return 1.0
        return min(1.0, max(LEAST_SHARE, self.target_cpu_ns / self.elapsed_ns))

    @property
    def due_cpu_ns(self) -> int:
        """What of memprobe's own CPU time the budget is charged."""
        return max(self.own_cpu_ns - self.ahead_ns, 0)

    @property
    def slowdown_pct(self) -> float:
        """What the target lost, of one core."""
        return self.target.total_ns / self.elapsed_ns * 100

    @property
    def cpu_pct(self) -> float:
        """What memprobe used, of one core."""
        return self.own_cpu_ns / self.elapsed_ns * 100


def cost_between(before: CostSample, after: CostSample, calibration: Calibration) -> Cost | None:
    """Return the cost of the time between two samples; None if no time has passed."""
    elapsed_ns = after.time_ns - before.time_ns
    if elapsed_ns <= 0:
        return None
    old, new = before.sources, after.sources
    programs = tuple(_program_runs(old, new))
    syscalls = _taxed_calls(old, new, programs)
    return Cost(
        elapsed_ns=elapsed_ns,
        target=_target_cost(before, after, syscalls, programs, calibration),
        own_cpu_ns=max(after.own_cpu_ns - before.own_cpu_ns, 0),
        syscalls=syscalls,
        syscalls_exact=not _taxed(old, new) or _knows_calls(new),
        runs_measured=all(program.run_ns is not None for program in new.programs),
        target_cpu_ns=_grown(old.target_cpu_ns, new.target_cpu_ns),
        activity=_activity(old, new, elapsed_ns),
        ahead_ns=new.ahead_ns - old.ahead_ns,
    )


def _taxed_calls(old: SourceCosts, new: SourceCosts, programs: Sequence[ProgramRuns]) -> int:
    """The target's system calls that took the longer way: those that were counted, or that met a program."""
    if not _taxed(old, new):
        return 0
    counted = _grown(old.target_syscalls, new.target_syscalls) or 0
    met = sum(run.target_runs or 0 for run in programs if run.hook is Hook.SYSCALL)
    return max(counted, met)


def _target_cost(
    before: CostSample,
    after: CostSample,
    calls: int,
    programs: Sequence[ProgramRuns],
    calibration: Calibration,
) -> TargetCost:
    old, new = before.sources, after.sources
    share = _target_share(before, after)
    cost = TargetCost(
        syscalls_ns=calls * calibration.syscall_ns,
        switches_ns=_switches_ns(old, new, calibration),
        stops_ns=max(new.stopped_ns - old.stopped_ns, 0),
    )
    return sum(
        (_program_cost(runs, share, calibration) for runs in programs if runs.runs != 0 or runs.run_ns), cost
    )


def _program_runs(old: SourceCosts, new: SourceCosts) -> Iterator[ProgramRuns]:
    """What each program did between that ran; one that was loaded anew begins at 0."""
    known = {program.name: program for program in old.programs}
    for now in new.programs:
        was = known.get(now.name)
        if was != now:  # most have not run
            yield now if was is None else _program_since(was, now)


def _program_since(was: ProgramRuns, now: ProgramRuns) -> ProgramRuns:
    return ProgramRuns(
        now.name,
        now.hook,
        runs=_grown(was.runs, now.runs),
        run_ns=_grown(was.run_ns, now.run_ns),
        target_runs=_grown(was.target_runs, now.target_runs),
    )


def _program_cost(program: ProgramRuns, share: float, calibration: Calibration) -> TargetCost:
    """What the runs of one program in the target cost it."""
    if program.hook is Hook.OWN:
        return TargetCost()
    runs, run_ns = _in_target(program, share, calibration)
    hidden_ns = runs * calibration.hook_ns[program.hook]
    if program.hook in TRAPS:
        return TargetCost(programs_ns=run_ns, traps_ns=hidden_ns)
    return TargetCost(programs_ns=run_ns, dispatch_ns=hidden_ns)


def _in_target(program: ProgramRuns, share: float, calibration: Calibration) -> tuple[float, float]:
    """Runs in the target and their time: programs on system-wide hooks run for every process."""
    if program.runs is None or program.run_ns is None:
        runs = program.target_runs or 0
        return runs, runs * calibration.assumed_run_ns
    if program.hook in PER_TARGET:
        return program.runs, program.run_ns
    if program.target_runs is None:
        return program.runs * share, program.run_ns * share
    runs = min(program.target_runs, program.runs)
    if not runs:
        return 0.0, 0.0
    # A run for another process ends at its first look-up, so the target's are never below the mean.
    others_ns = (program.runs - runs) * calibration.foreign_run_ns
    return runs, max(program.run_ns - others_ns, program.run_ns * runs / program.runs)


def _target_share(before: CostSample, after: CostSample) -> float:
    """The target's part of the machine's CPU time; 1, the upper bound, if that is not known."""
    target_ns = _grown(before.sources.target_cpu_ns, after.sources.target_cpu_ns)
    busy_ns = _grown(before.machine_busy_ns, after.machine_busy_ns)
    return 1.0 if target_ns is None or not busy_ns else min(target_ns / busy_ns, 1.0)


def _switches_ns(old: SourceCosts, new: SourceCosts, calibration: Calibration) -> float:
    switches = _grown(old.target_switches, new.target_switches) or 0
    armed = max(old.armed_watchpoints, new.armed_watchpoints)
    if not armed:
        return 0.0
    return switches * (calibration.switch_first_ns + (armed - 1) * calibration.switch_more_ns)


def _taxed(old: SourceCosts, new: SourceCosts) -> bool:
    """Whether a tracepoint of a system call was enabled at either end."""
    return max(old.syscall_tracepoints, new.syscall_tracepoints) > 0


def _activity(old: SourceCosts, new: SourceCosts, elapsed_ns: int) -> Activity | None:
    """How busy the target was in the kernel: its system time shows what probes would cost there."""
    system_ns = _grown(old.target_system_ns, new.target_system_ns)
    calls = _grown(old.target_syscalls, new.target_syscalls)
    if calls is not None and _knows_calls(new):
        return Activity("system calls", calls / elapsed_ns * 1e9)
    return None if system_ns is None else Activity("system time", system_ns / elapsed_ns * 1e9)


def _knows_calls(costs: SourceCosts) -> bool:
    """Whether every system call of the target is counted."""
    return costs.target_syscalls is not None and costs.target_syscalls_exact


def _grown(old: int | None, new: int | None) -> int | None:
    """The difference of two readings of a counter; a counter that fell has begun anew."""
    if old is None or new is None:
        return None
    return new - old if new >= old else new
