"""The seam between the governor and the machine: sources and memprobe's own process become samples."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from memprobe.vocab.costs import CostSample, Metered, SourceCosts


@dataclass(frozen=True, slots=True)
class OwnUsage:
    """What memprobe's own process has used."""

    cpu_ns: int

    rss_bytes: int | None

    machine_busy_ns: int | None


def own_usage() -> OwnUsage:
    """Ask the kernel about memprobe itself, helpers that have ended included. Some 100 us."""
    import psutil

    children, machine = resource.getrusage(resource.RUSAGE_CHILDREN), psutil.cpu_times()
    ended_ns = int((children.ru_utime + children.ru_stime) * 1e9)
    busy_s = machine.user + machine.nice + machine.system + machine.irq + machine.softirq
    return OwnUsage(time.process_time_ns() + ended_ns, psutil.Process().memory_info().rss, int(busy_s * 1e9))


def take_sample(
    time_ns: int, sources: Iterable[Metered], usage: Callable[[], OwnUsage] = own_usage
) -> CostSample:
    """Read every counter at `time_ns`."""
    costs, own = merged([source.costs() for source in sources]), usage()
    return CostSample(
        time_ns=time_ns,
        sources=costs,
        own_cpu_ns=own.cpu_ns + costs.helper_cpu_ns,
        own_rss_bytes=None if own.rss_bytes is None else own.rss_bytes + costs.helper_bytes,
        machine_busy_ns=own.machine_busy_ns,
    )


def merged(costs: Sequence[SourceCosts]) -> SourceCosts:
    """Return the costs of all sources together."""
    return reduce(_together, costs, SourceCosts())


def _together(one: SourceCosts, other: SourceCosts) -> SourceCosts:
    """Sum what adds up; of what both know about the target, take one."""
    calls, exact = _calls(one, other)
    return SourceCosts(
        programs=one.programs + other.programs,
        syscall_tracepoints=one.syscall_tracepoints + other.syscall_tracepoints,
        target_syscalls=calls,
        target_syscalls_exact=exact,
        target_cpu_ns=_known(one.target_cpu_ns, other.target_cpu_ns),
        target_system_ns=_known(one.target_system_ns, other.target_system_ns),
        target_switches=_known(one.target_switches, other.target_switches),
        armed_watchpoints=one.armed_watchpoints + other.armed_watchpoints,
        stopped_ns=one.stopped_ns + other.stopped_ns,
        longest_stop_ns=max(one.longest_stop_ns, other.longest_stop_ns),
        helper_cpu_ns=one.helper_cpu_ns + other.helper_cpu_ns,
        helper_bytes=one.helper_bytes + other.helper_bytes,
        ahead_ns=one.ahead_ns + other.ahead_ns,
    )


def _calls(one: SourceCosts, other: SourceCosts) -> tuple[int | None, bool]:
    """System calls of the target, and whether that is all; bounds are of different calls, and add up."""
    for costs in (one, other):
        if costs.target_syscalls is not None and costs.target_syscalls_exact:
            return costs.target_syscalls, True
    known = [costs.target_syscalls for costs in (one, other) if costs.target_syscalls is not None]
    return (sum(known), False) if known else (None, one.target_syscalls_exact and other.target_syscalls_exact)


def _known(one: int | None, other: int | None) -> int | None:
    """The first that is known."""
    return other if one is None else one
