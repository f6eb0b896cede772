"""What the time between two samples cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from memprobe.governor.calibration import Calibration
from memprobe.governor.costs import Cost, cost_between
from memprobe.governor.metering import OwnUsage, merged, take_sample
from memprobe.vocab.costs import CostSample, Hook, ProgramRuns, SourceCosts

SECOND = 1_000_000_000
KNOWN = Calibration(syscall_ns=75, foreign_run_ns=120, assumed_run_ns=1000)


def cost(after: SourceCosts, before: SourceCosts | None = None, busy_ns: int | None = None) -> Cost:
    """The cost of one second."""
    begin = CostSample(0, before or SourceCosts(target_cpu_ns=0), 0, machine_busy_ns=0)
    found = cost_between(begin, CostSample(SECOND, after, 30_000_000, machine_busy_ns=busy_ns), KNOWN)
    assert found is not None
    return found


def program(hook: Hook, runs: int | None, run_ns: int | None, target_runs: int | None = None) -> SourceCosts:
    """A source with one program."""
    return SourceCosts(programs=(ProgramRuns("p", hook, runs, run_ns, target_runs),))


def test_nothing_attached_costs_nothing() -> None:
    found = cost(SourceCosts(target_syscalls=1_000_000, target_cpu_ns=SECOND))
    assert found.slowdown_pct == 0
    assert found.cpu_pct == pytest.approx(3)


def test_an_enabled_tracepoint_taxes_every_system_call() -> None:
    source = SourceCosts(syscall_tracepoints=59, target_syscalls=100_000)
    found = cost(source, SourceCosts(target_syscalls=0))
    assert found.target.syscalls_ns == pytest.approx(100_000 * 75)
    assert found.syscalls_exact
    assert found.slowdown_pct == pytest.approx(0.75)


def test_calls_that_nobody_counts_are_at_least_those_that_met_a_program() -> None:
    source = replace(program(Hook.SYSCALL, 500, 250_000, 400), syscall_tracepoints=1)
    found = cost(source)
    assert found.syscalls == 400
    assert not found.syscalls_exact


def test_runs_for_other_processes_are_not_the_targets() -> None:
    found = cost(program(Hook.SYSCALL, runs=11_000, run_ns=10_000 * 120 + 1_000 * 600, target_runs=1_000))
    assert found.target.programs_ns == pytest.approx(1_000 * 600)
    assert found.target.dispatch_ns == pytest.approx(1_000 * KNOWN.hook_ns[Hook.SYSCALL])


def test_runs_in_the_target_are_never_below_the_mean() -> None:
    found = cost(program(Hook.SYSCALL, runs=10_000, run_ns=10_000 * 50, target_runs=5_000))
    assert found.target.programs_ns == pytest.approx(5_000 * 50)


@pytest.mark.parametrize(("busy_ns", "share"), [(2 * SECOND, 0.25), (None, 1.0), (SECOND // 4, 1.0)])
def test_without_a_count_the_share_of_cpu_time_decides(busy_ns: int | None, share: float) -> None:
    source = replace(program(Hook.RAW_TRACEPOINT, 1_000, 100_000), target_cpu_ns=SECOND // 2)
    assert cost(source, busy_ns=busy_ns).target.programs_ns == pytest.approx(100_000 * share)


def test_a_trap_costs_more_than_its_program() -> None:
    found = cost(program(Hook.UPROBE, runs=1_000, run_ns=300_000))
    assert found.target.programs_ns == 300_000
    assert found.target.traps_ns == 1_000 * KNOWN.hook_ns[Hook.UPROBE]


def test_an_iterator_runs_in_memprobes_own_time() -> None:
    assert cost(program(Hook.OWN, 1_000, 10**9)).slowdown_pct == 0


def test_without_statistics_runs_are_counted() -> None:
    found = cost(program(Hook.SYSCALL, None, None, 2_000))
    assert found.target.programs_ns == 2_000 * 1_000
    assert not found.runs_measured


def test_a_program_that_was_loaded_anew_begins_at_zero() -> None:
    found = cost(program(Hook.UPROBE, 10, 5_000), program(Hook.UPROBE, 1_000, 400_000))
    assert found.target.programs_ns == 5_000


def test_armed_watchpoints_slow_context_switches() -> None:
    found = cost(SourceCosts(armed_watchpoints=2, target_switches=1_000), SourceCosts(target_switches=0))
    assert found.target.switches_ns == 1_000 * (1_440 + 340)


def test_stops_count() -> None:
    assert cost(SourceCosts(stopped_ns=5_000_000, longest_stop_ns=5_000_000)).slowdown_pct == 0.5


@pytest.mark.parametrize(
    ("cpu_ns", "due_ns"),
    [(SECOND // 2, 10e6), (4 * SECOND, 5e6), (0, 25e6), (None, 5e6)],
)
def test_the_budget_is_charged_by_the_share_of_the_targets_own_time(
    cpu_ns: int | None, due_ns: float
) -> None:
    before = SourceCosts(target_cpu_ns=None if cpu_ns is None else 0)
    found = cost(SourceCosts(stopped_ns=5_000_000, target_cpu_ns=cpu_ns), before)
    assert found.due_target_ns == pytest.approx(due_ns)
    assert found.slowdown_pct == 0.5


@pytest.mark.parametrize("time_ns", [0, -5])
def test_no_time_no_cost(time_ns: int) -> None:
    begin = CostSample(0, SourceCosts(), 0)
    assert cost_between(begin, CostSample(time_ns, SourceCosts(), 10), KNOWN) is None


def test_activity_prefers_system_calls_and_falls_back_to_system_time() -> None:
    calls = cost(SourceCosts(target_syscalls=500), SourceCosts(target_syscalls=0)).activity
    times = cost(
        SourceCosts(target_syscalls=500, target_syscalls_exact=False, target_system_ns=SECOND // 4),
        SourceCosts(target_syscalls=0, target_system_ns=0),
    ).activity
    assert calls is not None
    assert times is not None
    assert (calls.kind, calls.per_s) == ("system calls", 500)
    assert (times.kind, times.per_s) == ("system time", SECOND // 4)


def test_sources_are_merged() -> None:
    kernel = replace(program(Hook.SYSCALL, 1, 2), syscall_tracepoints=59, target_syscalls=7)
    proc = SourceCosts(target_syscalls=3, target_syscalls_exact=False, target_cpu_ns=11, helper_cpu_ns=5)
    both = merged([proc, kernel])
    assert (both.target_syscalls, both.target_syscalls_exact, both.target_cpu_ns) == (7, True, 11)
    bounds = merged([replace(kernel, target_syscalls_exact=False), proc])
    assert (bounds.target_syscalls, bounds.target_syscalls_exact) == (10, False)
    assert (both.syscall_tracepoints, len(both.programs)) == (59, 1)
    assert merged([kernel, proc]).target_syscalls == 7


class Fake:
    """A source that costs what it is told."""

    def costs(self) -> SourceCosts:
        return SourceCosts(helper_cpu_ns=7, helper_bytes=30, ahead_ns=4)


def test_helpers_that_live_are_memprobes_own() -> None:
    sample = take_sample(5, [Fake(), Fake()], lambda: OwnUsage(100, 200, 300))
    assert (sample.time_ns, sample.own_cpu_ns, sample.own_rss_bytes) == (5, 114, 260)
    assert sample.sources.ahead_ns == 8


def test_what_is_spent_ahead_is_charged_when_it_is_paid_back() -> None:
    def between(own_ns: int, before_ns: int, after_ns: int) -> tuple[int, int]:
        begin = CostSample(0, SourceCosts(ahead_ns=before_ns), 0)
        found = cost_between(begin, CostSample(SECOND, SourceCosts(ahead_ns=after_ns), own_ns), KNOWN)
        assert found is not None
        return found.own_cpu_ns, found.due_cpu_ns

    assert between(900, 0, 850) == (900, 50)
    assert between(50, 850, 800) == (50, 100)
    assert between(50, 0, 70) == (50, 0)


def test_memprobes_own_process_can_be_asked() -> None:
    sample = take_sample(5, [])
    assert sample.own_cpu_ns > 0
    assert sample.own_rss_bytes is not None
    assert sample.own_rss_bytes > 1 << 20
