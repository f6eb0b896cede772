"""The one object that a session holds: takes samples, decides, turns the knobs, keeps the account."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from memprobe.governor.budget import SMOOTHING_NS
from memprobe.governor.calibration import Calibration
from memprobe.governor.control import Limits, State, decide
from memprobe.governor.costs import LEAST_SHARE, Cost, cost_between
from memprobe.governor.episodes import Episodes
from memprobe.governor.ladder import ladder, turns
from memprobe.governor.metering import OwnUsage, own_usage, take_sample
from memprobe.governor.overhead import Account
from memprobe.vocab.costs import CostSample, Metered
from memprobe.vocab.knobs import Knob, Sheddable, Turn

CHECK_INTERVAL_NS = 200_000_000
"""Between two checks. A target that becomes hostile is seen after one or two: the programs fall silent within
0.4 s, and the hot tracepoints (five, 75 ms each) are gone within 1 s."""


class Governor:
    """Keeps the two promises of a run.

    Pure: `fold` sees samples only, live ones or those of a recording, decides and reports the same, and
    leaves the turning to the caller.
    """

    def __init__(
        self, limits: Limits, knobs: frozenset[Knob], calibration: Calibration | None = None
    ) -> None:
        self.limits = limits
        self.calibration = calibration or Calibration()
        self.rungs = ladder(knobs)
        self.state = State.begin(limits, len(self.rungs))
        self._account = Account(limits)
        self._episodes = Episodes()
        self._busy_share = LEAST_SHARE
        self._first_ns: int | None = None
        self._last: CostSample | None = None

    def fold(self, sample: CostSample) -> tuple[Turn, ...]:
        """Take one sample in; return the orders that follow from it."""
        last, self._last = self._last, sample
        if last is None:
            self._first_ns = sample.time_ns
            return ()
        cost = cost_between(last, sample, self.calibration)
        if cost is None:
            self._last = last
            return ()
        weight = cost.elapsed_ns / (cost.elapsed_ns + min(self._account.elapsed_ns, SMOOTHING_NS))
        self._account.fold(cost, sample)
        self._busy_share += (cost.busy_share - self._busy_share) * weight
        return self._decide(sample.time_ns, cost)

    def _decide(self, time_ns: int, cost: Cost) -> tuple[Turn, ...]:
        old, self.state = self.state, decide(self.state, time_ns, cost)
        before, after = old.shed, self.state.shed
        if before == after:
            return ()
        why = self._reason(old, cost)
        self._episodes.move(self.rungs, before, after, time_ns, why)
        return turns(self.rungs, before, after)

    def _reason(self, old: State, cost: Cost) -> str:
        """Which budget was exhausted, and by how much."""
        slowdown = old.slowdown.spend(cost.due_target_ns, cost.elapsed_ns)
        if slowdown.is_exhausted:
            lost = f"the target lost {slowdown.rate_pct:.1f} % of its time"
            return f"{lost}, {slowdown.limit_pct:g} % is allowed"
        cpu = old.cpu.spend(cost.due_cpu_ns, cost.elapsed_ns)
        return f"memprobe used {cpu.rate_pct:.1f} % of a core, {cpu.limit_pct:g} % is allowed"

    @property
    def allowed_pct(self) -> float:
        """What the target may lose at present, in percent of a core: it may not keep one busy."""
        return self.limits.slowdown_pct * self._busy_share

    @property
    def overhead(self) -> dict[str, object]:
        """The `overhead` section of the report."""
        return self._account.section(self.calibration)

    @property
    def invisible(self) -> tuple[str, ...]:
        """What was shed, and when, as sentences."""
        return self._episodes.sentences(self._first_ns or 0)


class LiveGovernor:
    """A governor with its hands on the sources.

    `check` is called every CHECK_INTERVAL_NS, between two portions of a batch if one takes longer.
    """

    def __init__(
        self,
        governor: Governor,
        metered: Sequence[Metered],
        sheddable: Sequence[Sheddable],
        usage: Callable[[], OwnUsage] = own_usage,
    ) -> None:
        self.governor = governor
        self._metered = metered
        self._sheddable = sheddable
        self._usage = usage

    def check(self, now_ns: int) -> CostSample:
        """Sample, decide, turn; return the sample so that it can be recorded."""
        sample = take_sample(now_ns, self._metered, self._usage)
        for order in self.governor.fold(sample):
            for source in self._sheddable:
                if order.knob in source.knobs:
                    source.turn(order.knob, order.one_in)
        return sample


def knobs_of(sheddable: Sequence[Sheddable]) -> frozenset[Knob]:
    """Return every knob that somebody has."""
    return frozenset().union(*(source.knobs for source in sheddable))
