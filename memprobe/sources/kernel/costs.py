"""What the programs of a run have cost, as the governor wants to know it."""

from __future__ import annotations

from collections.abc import Mapping

from memprobe.sources.kernel.programs import Programs
from memprobe.vocab.costs import Hook, ProgramRuns, SourceCosts

HOOKS = {
    "tracepoint": Hook.SYSCALL,
    "raw_tracepoint": Hook.RAW_TRACEPOINT,
    "perf_event": Hook.PERF_EVENT,
    "uprobe": Hook.UPROBE,
    "watchpoint": Hook.WATCHPOINT,
    "iterator": Hook.OWN,
    "own": Hook.OWN,
}


def source_costs(programs: Programs, events: Mapping[str, int]) -> SourceCosts:
    """Read all counters; `events` has what came from the targets, by program, and their `mappings`.

    Each was a system call of a target; there were others, above all reads and writes: not seen here.
    """
    counts = programs.run_counts()
    measured = programs.counts_costs
    return SourceCosts(
        programs=tuple(
            ProgramRuns(
                name=row.name,
                hook=HOOKS[row.hook],
                runs=counts[row.name][0] if measured else None,
                run_ns=counts[row.name][1] if measured else None,
                target_runs=events.get(row.name),
            )
            for row in programs.table
            if row.name in counts
        ),
        syscall_tracepoints=sum(one.hook == "tracepoint" for one in programs.attached),
        armed_watchpoints=len({one.point for one in programs.attached if one.hook == "watchpoint"}),
        target_syscalls=sum(events.values()),
        target_syscalls_exact=False,
    )
