"""What the run has cost: the `overhead` section of the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from memprobe.governor.calibration import Calibration
from memprobe.governor.control import Limits
from memprobe.governor.costs import LEAST_SHARE, Cost, TargetCost
from memprobe.vocab.costs import CostSample

PARTS = {
    "programs_ns": "BPF programs",
    "dispatch_ns": "reaching them",
    "syscalls_ns": "system calls made slower",
    "traps_ns": "traps",
    "switches_ns": "context switches with watchpoints",
    "stops_ns": "stops",
}
"""How the parts of a TargetCost are called."""


@dataclass(slots=True)
class Account:
    """Sums over a run. Fold every Cost into it, in order."""

    limits: Limits
    elapsed_ns: int = 0
    target: TargetCost = field(default_factory=TargetCost)
    due_target_ns: float = 0.0
    """What the budget was charged for it."""

    own_cpu_ns: int = 0
    syscalls: int = 0
    syscalls_exact: bool = True
    runs_measured: bool = True
    target_cpu_ns: int | None = 0
    longest_stop_ns: int = 0
    own_rss_peak_bytes: int | None = None
    own_rss_known_ns: int = 0
    """How long memprobe's memory was known."""

    own_rss_byte_ns: int = 0
    """Its sum over that time."""

    def fold(self, cost: Cost, sample: CostSample) -> None:
        """Add what the time up to `sample` cost."""
        self.elapsed_ns += cost.elapsed_ns
        self.target = self.target + cost.target
        self.due_target_ns += cost.due_target_ns
        self.own_cpu_ns += cost.own_cpu_ns
        self.syscalls += cost.syscalls
        self.syscalls_exact &= cost.syscalls_exact
        self.runs_measured &= cost.runs_measured
        self.longest_stop_ns = max(self.longest_stop_ns, sample.sources.longest_stop_ns)
        self._fold_known(cost, sample)

    def _fold_known(self, cost: Cost, sample: CostSample) -> None:
        """Add what may be unknown: one gap makes the sum unknown."""
        known = self.target_cpu_ns is not None and cost.target_cpu_ns is not None
        self.target_cpu_ns = (self.target_cpu_ns or 0) + (cost.target_cpu_ns or 0) if known else None
        if sample.own_rss_bytes is not None:
            self.own_rss_peak_bytes = max(self.own_rss_peak_bytes or 0, sample.own_rss_bytes)
            self.own_rss_known_ns += cost.elapsed_ns
            self.own_rss_byte_ns += sample.own_rss_bytes * cost.elapsed_ns

    def section(self, calibration: Calibration) -> dict[str, object]:
        """The `overhead` section; nothing is known of a run that has not been sampled twice."""
        known = self.elapsed_ns > 0
        peak = self.own_rss_peak_bytes
        mean = self.own_rss_byte_ns / self.own_rss_known_ns if self.own_rss_known_ns else None
        return {
            "target_slowdown_pct": round(self._pct(self.due_target_ns), 4) if known else None,
            "target_slowdown_how": " ".join(self._how(calibration)) if known else None,
            "profiler_cpu_pct": round(self._pct(self.own_cpu_ns), 3) if known else None,
            "profiler_rss_mb": None if mean is None else round(mean / 1e6, 1),
            "profiler_rss_peak_mb": None if peak is None else round(peak / 1e6, 1),
            "longest_pause_ms": round(self.longest_stop_ns / 1e6, 3),
            "budget_pct": self.limits.slowdown_pct,
        }

    def _pct(self, cost_ns: float) -> float:
        """This many nanoseconds, as a part of the run."""
        return cost_ns / self.elapsed_ns * 100 if self.elapsed_ns else 0.0

    def _how(self, calibration: Calibration) -> Iterator[str]:
        """How the slow-down was computed."""
        parts = {name: self._pct(getattr(self.target, field)) for field, name in PARTS.items()}
        named = ", ".join(f"{name} {pct:.3g} %" for name, pct in parts.items() if pct)
        if named:
            yield f"Of the target's CPU time, counted as {LEAST_SHARE:g} cores at least and as one at most."
            yield f"Of one core, mean over the run: {named}."
        else:
            yield "Nothing that slows the target was attached."
        if self.target_cpu_ns and self.target.total_ns:
            own_pct = self.target.total_ns / self.target_cpu_ns * 100
            yield f"That is {own_pct:.2g} % of the target's own CPU time."
        if self.syscalls or not self.syscalls_exact:
            yield self._syscalls(calibration)
        if not self.runs_measured:
            yield (
                "The kernel did not permit BPF statistics (CAP_SYS_ADMIN): "
                f"runs are counted at an assumed {calibration.assumed_run_ns:.0f} ns."
            )

    def _syscalls(self, calibration: Calibration) -> str:
        """The sentence about the tracepoints' tax."""
        source = "measured here" if "syscall" in calibration.measured else "assumed"
        at_least = "" if self.syscalls_exact else "at least "
        return f"System calls: {at_least}{self.syscalls} at {calibration.syscall_ns:.0f} ns each ({source})."
