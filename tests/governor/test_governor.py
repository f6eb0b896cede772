"""The whole: counters in; orders, the section of the report and the sentences out."""

from __future__ import annotations

import pytest

from memprobe.governor import CHECK_INTERVAL_NS, Governor, Limits, LiveGovernor, knobs_of
from memprobe.governor.metering import OwnUsage
from memprobe.vocab.costs import CostSample, Hook, ProgramRuns, SourceCosts
from memprobe.vocab.knobs import ALL, NOTHING, Knob

KERNEL = frozenset({Knob.GROWTH_STACKS, Knob.HANDLE_STACKS, Knob.MEMORY_PROBES, Knob.SYSCALL_PROBES})
OPENS_PER_CHECK = 200_000
"""A million per second."""


class Kernel:
    """A kernel source in front of a target that opens as it likes."""

    def __init__(self) -> None:
        self.opens_per_check, self.opens, self.runs, self.run_ns = 0, 0, 0, 0
        self.settings = dict.fromkeys(KERNEL, ALL)
        self.orders: list[tuple[Knob, int]] = []

    @property
    def knobs(self) -> frozenset[Knob]:
        return KERNEL

    def turn(self, knob: Knob, one_in: int) -> None:
        self.settings[knob] = one_in
        self.orders.append((knob, one_in))

    def costs(self) -> SourceCosts:
        self.opens += self.opens_per_check
        attached = self.settings[Knob.SYSCALL_PROBES] == ALL
        if attached:
            stack_ns = {ALL: 5_000, NOTHING: 0}.get(self.settings[Knob.HANDLE_STACKS], 1_000)
            self.runs += self.opens_per_check
            self.run_ns += self.opens_per_check * (550 + stack_ns)
        born = ProgramRuns("born", Hook.SYSCALL, self.runs, self.run_ns, self.runs)
        return SourceCosts((born,), 59 * attached, self.opens, target_cpu_ns=self.opens * 1_000)


class Snapshots:
    """A source that can only be asked less often."""

    knobs = frozenset({Knob.SNAPSHOTS})

    def __init__(self) -> None:
        self.settings: list[int] = []

    def turn(self, knob: Knob, one_in: int) -> None:
        assert knob is Knob.SNAPSHOTS
        self.settings.append(one_in)


class Run:
    """A live run on simulated time."""

    def __init__(self) -> None:
        self.kernel, self.snapshots, self.now_ns = Kernel(), Snapshots(), 0
        sheddable = (self.kernel, self.snapshots)
        self.governor = Governor(Limits(), knobs_of(sheddable))
        usage = lambda: OwnUsage(self.now_ns // 100, 40_000_000, None)  # noqa: E731
        self.live = LiveGovernor(self.governor, [self.kernel], sheddable, usage)
        self.samples: list[CostSample] = []

    def go(self, seconds: float, opens_per_check: int) -> None:
        self.kernel.opens_per_check = opens_per_check
        for _ in range(round(seconds * 1e9 / CHECK_INTERVAL_NS)):
            self.now_ns += CHECK_INTERVAL_NS
            self.samples.append(self.live.check(self.now_ns))


@pytest.fixture
def run() -> Run:
    """A run of 10 calm seconds, a storm of 30, and 100 calm ones."""
    run = Run()
    run.go(10, 20)
    run.go(30, OPENS_PER_CHECK)
    run.go(100, 20)
    return run


def test_the_probes_go_in_the_storm_and_come_back() -> None:
    run = Run()
    run.go(10, 20)
    assert run.kernel.orders == []
    run.go(0.4, OPENS_PER_CHECK)
    assert run.kernel.settings[Knob.SYSCALL_PROBES] == NOTHING
    assert run.kernel.orders[0] == (Knob.SYSCALL_PROBES, NOTHING)
    run.go(100, 20)
    assert run.kernel.settings == dict.fromkeys(KERNEL, ALL)
    assert run.snapshots.settings[-1] == ALL


def test_the_report_says_what_it_cost(run: Run) -> None:
    section = run.governor.overhead
    assert list(section) == [
        "target_slowdown_pct",
        "target_slowdown_how",
        "profiler_cpu_pct",
        "profiler_rss_mb",
        "profiler_rss_peak_mb",
        "longest_pause_ms",
        "budget_pct",
    ]
    assert section["profiler_cpu_pct"] == 1.0
    assert section["profiler_rss_mb"] == section["profiler_rss_peak_mb"] == 40.0
    assert "BPF programs" in str(section["target_slowdown_how"])
    assert "at 75 ns each (assumed)" in str(section["target_slowdown_how"])


def test_the_report_says_what_was_shed(run: Run) -> None:
    told = "\n".join(run.governor.invisible)
    assert "polling /proc only" in told
    assert "after the attach: the target lost" in told
    assert "to the end" not in told


def test_a_replay_decides_and_reports_the_same(run: Run) -> None:
    replayed = Governor(Limits(), knobs_of((run.kernel, run.snapshots)))
    orders = [order for sample in run.samples for order in replayed.fold(sample)]
    live = [*run.kernel.orders, *((Knob.SNAPSHOTS, one_in) for one_in in run.snapshots.settings)]
    assert sorted((order.knob, order.one_in) for order in orders) == sorted(live)
    assert replayed.state == run.governor.state
    assert replayed.overhead == run.governor.overhead
    assert replayed.invisible == run.governor.invisible


def test_memory_is_told_as_it_was_on_average_and_at_its_highest() -> None:
    governor = Governor(Limits(), frozenset())
    for second, size in enumerate((60, 60, 60, 100, 60)):
        governor.fold(CostSample(second * 10**9, SourceCosts(), 0, own_rss_bytes=size * 10**6))
    assert governor.overhead["profiler_rss_mb"] == 70.0
    assert governor.overhead["profiler_rss_peak_mb"] == 100.0


@pytest.mark.parametrize(
    ("cpu_ns", "lost_pct", "allowed_pct"), [(0, 2.5, 0.2), (500, 1.0, 0.5), (4_000, 0.5, 1)]
)
def test_what_is_printed_is_what_is_held(cpu_ns: int, lost_pct: float, allowed_pct: float) -> None:
    """Both are shares of the CPU time that the target uses by itself."""
    governor = Governor(Limits(), frozenset())
    for second in range(4):
        spent = SourceCosts(stopped_ns=second * 5_000_000, target_cpu_ns=second * cpu_ns * 10**6)
        governor.fold(CostSample(second * 10**9, spent, 0))
    assert governor.overhead["target_slowdown_pct"] == pytest.approx(lost_pct)
    assert governor.state.slowdown.rate_pct == pytest.approx(lost_pct)
    assert governor.allowed_pct == pytest.approx(allowed_pct)


def test_before_two_samples_nothing_is_known() -> None:
    section = Governor(Limits(), KERNEL).overhead
    assert section["target_slowdown_pct"] is None
    assert section["profiler_cpu_pct"] is None


def test_a_run_without_probes_says_so() -> None:
    governor = Governor(Limits(), frozenset())
    for time_ns in (0, 10**9):
        governor.fold(CostSample(time_ns, SourceCosts(), 0))
    assert governor.overhead["target_slowdown_pct"] == 0
    assert governor.overhead["target_slowdown_how"] == "Nothing that slows the target was attached."


def test_a_clock_that_stands_still_is_ignored() -> None:
    governor = Governor(Limits(), KERNEL)
    for time_ns in (5, 5, 10**9):
        governor.fold(CostSample(time_ns, SourceCosts(), 0))
    assert governor.overhead["target_slowdown_pct"] == 0


def test_many_episodes_are_summed_up() -> None:
    run = Run()
    for _ in range(5):
        run.go(5, OPENS_PER_CHECK)
        run.go(950, 20)
    assert run.kernel.settings == dict.fromkeys(KERNEL, ALL)
    assert len(run.governor.invisible) <= 7
    assert any("5 times" in sentence for sentence in run.governor.invisible)
