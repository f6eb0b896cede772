"""What the run has cost: the `overhead` section of the report, and the sentences about what was shed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from memprobe.governor.calibration import Calibration
from memprobe.governor.control import Limits
from memprobe.governor.costs import LEAST_SHARE, Cost, TargetCost
from memprobe.governor.ladder import sentence
from memprobe.vocab.costs import CostSample
from memprobe.vocab.knobs import Knob, Rung

PARTS = {
    "programs_ns": "BPF programs",
    "dispatch_ns": "reaching them",
    "syscalls_ns": "system calls made slower",
    "traps_ns": "traps",
    "switches_ns": "context switches with watchpoints",
    "stops_ns": "stops",
}
"""How the parts of a TargetCost are called."""

MOST_SENTENCES = 20
"""A run of weeks may shed often: beyond this many episodes they are summed up."""


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


@dataclass(frozen=True, slots=True)
class Episode:
    """One rung, from when it was shed to when it returned."""

    rung: Rung
    begin_ns: int
    end_ns: int | None
    reason: str


def episodes_after(
    episodes: Sequence[Episode],
    rungs: Sequence[Rung],
    before: int,
    after: int,
    time_ns: int,
    reason: str,
) -> tuple[Episode, ...]:
    """Return the episodes after the ladder moved from one position to another."""
    back = frozenset(rungs[after:before])
    closed = [
        Episode(one.rung, one.begin_ns, time_ns, one.reason)
        if one.end_ns is None and one.rung in back
        else one
        for one in episodes
    ]
    return (*closed, *(Episode(rung, time_ns, None, reason) for rung in rungs[before:after]))


def invisible(episodes: Sequence[Episode], begin_ns: int) -> tuple[str, ...]:
    """Return what was shed as sentences, with times since the attach.

    Where two settings of a knob were shed at the same time, the one that keeps less says it.
    """
    told = [one for one in episodes if not _outdone(one, episodes)]
    if len(told) <= MOST_SENTENCES:
        return tuple(_sentence(one, begin_ns) for one in told)
    return tuple(_summed(knob, told) for knob in Knob if any(one.rung.knob is knob for one in told))


def _outdone(one: Episode, episodes: Sequence[Episode]) -> bool:
    """Whether a cheaper setting of the same knob covers this episode entirely."""
    return any(
        other.rung.knob is one.rung.knob
        and other.rung != one.rung
        and other.begin_ns <= one.begin_ns
        and (other.end_ns is None or (one.end_ns is not None and one.end_ns <= other.end_ns))
        and _cheaper(other.rung, one.rung)
        for other in episodes
    )


def _cheaper(rung: Rung, than: Rung) -> bool:
    """Whether one setting keeps less than another (0 is nothing)."""
    return (rung.one_in or float("inf")) > (than.one_in or float("inf"))


def _sentence(one: Episode, begin_ns: int) -> str:
    since = f"{(one.begin_ns - begin_ns) / 1e9:.1f} s"
    until = "to the end" if one.end_ns is None else f"to {(one.end_ns - begin_ns) / 1e9:.1f} s"
    return f"{sentence(one.rung)} from {since} {until} after the attach: {one.reason}."


def _summed(knob: Knob, episodes: Sequence[Episode]) -> str:
    """One sentence for all episodes of a knob."""
    own = [one for one in episodes if one.rung.knob is knob]
    worst = max(own, key=lambda one: one.rung.one_in or float("inf")).rung
    closed_s = sum((one.end_ns - one.begin_ns) / 1e9 for one in own if one.end_ns is not None)
    still = ", and at the end" if any(one.end_ns is None for one in own) else ""
    return f"{sentence(worst)} {len(own)} times, {closed_s:.0f} s in all{still}: {own[-1].reason}."
