"""What a source has cost so far: counters that only grow, taken by the governor several times a second."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable


class Hook(StrEnum):
    """How a program is reached: each way costs something that BPF's own statistics do not see."""

    SYSCALL = "syscall"
    """A tracepoint of one system call."""

    RAW_TRACEPOINT = "raw_tracepoint"
    """A raw tracepoint (sched_process_*, rss_stat)."""

    PERF_EVENT = "perf_event"
    """A software event, such as a page fault."""

    UPROBE = "uprobe"
    """An uprobe on an instruction that the kernel emulates."""

    UPROBE_STEPPED = "uprobe_stepped"
    """An uprobe on an instruction that must be single-stepped."""

    UPROBE_RETURN = "uprobe_return"
    """A return probe."""

    WATCHPOINT = "watchpoint"
    """A hardware breakpoint."""

    OWN = "own"
    """Runs in memprobe's own time (an iterator, say): no cost to the target."""


@dataclass(frozen=True, slots=True)
class ProgramRuns:
    """One BPF program since it was loaded."""

    name: str

    hook: Hook

    runs: int | None
    """How often it ran, for whatever process; None where statistics are not permitted."""

    run_ns: int | None
    """How long it ran in all; None where statistics are not permitted."""

    target_runs: int | None = None
    """How many of the runs were in a target (events received and lost); None if nobody counts them."""


@dataclass(frozen=True, slots=True)
class SourceCosts:
    """What one source has cost its targets since it began. All counters are cumulative."""

    programs: tuple[ProgramRuns, ...] = ()

    syscall_tracepoints: int = 0
    """System-call tracepoints enabled now: one is enough to send every call of every process the long way."""

    target_syscalls: int | None = None
    """System calls of the targets; None where nobody counts them."""

    target_syscalls_exact: bool = True
    """False: a lower bound. Sources count different calls (reads and writes; births and deaths of handles,
    mappings), so that their bounds add up."""

    target_cpu_ns: int | None = None
    """User and system time of the targets."""

    target_system_ns: int | None = None
    """System time of the targets: how busy they are even when no probe is attached."""

    target_switches: int | None = None
    """Context switches of the targets' threads while watchpoints are armed in them; goes on only then."""

    armed_watchpoints: int = 0
    """Watchpoints armed now."""

    stopped_ns: int = 0
    """How long targets were stopped in all."""

    longest_stop_ns: int = 0
    """The longest single stop."""

    helper_cpu_ns: int = 0
    """CPU time of helper processes of memprobe that still live (those that ended are known anyway)."""

    helper_bytes: int = 0
    """Memory of helper processes that they do not share with memprobe; now, not cumulative."""

    ahead_ns: int = 0
    """CPU time that helpers have spent ahead of their share and pay back by waiting; now, not cumulative."""


@dataclass(frozen=True, slots=True)
class CostSample:
    """Every counter at one instant: what the controller and a recording see. Cumulative."""

    time_ns: int

    sources: SourceCosts
    """All sources together."""

    own_cpu_ns: int
    """User and system time of memprobe and its helpers, those that ended included."""

    own_rss_bytes: int | None = None

    machine_busy_ns: int | None = None
    """CPU time of everything on this machine; apportions programs that fire for every process."""


@runtime_checkable
class Metered(Protocol):
    """Something that costs the target or memprobe something and knows how much.

    `costs` is asked five times a second: it must take well under a millisecond.
    """

    def costs(self) -> SourceCosts:
        """The counters at this instant."""
        ...
