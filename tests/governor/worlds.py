"""Simulated targets: what each position on the ladder would cost, over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from memprobe.governor.control import Limits, State, decide
from memprobe.governor.costs import Activity, Cost, TargetCost
from memprobe.governor.governor import CHECK_INTERVAL_NS

Load = Callable[[float], float]
"""Slow-down in per cent, were nothing shed, by the time in seconds."""


@dataclass
class World:
    """A target whose cost depends on its load and on what is shed."""

    slowdown: Load
    remaining: Sequence[float]
    """What is left of the cost at each position, from 1.0 at 0; one more than there are rungs."""

    cpu: Load = lambda _: 0.5
    activity: bool = True
    limits: Limits = field(default_factory=Limits)
    positions: list[int] = field(default_factory=list)
    slowdowns: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = State.begin(self.limits, len(self.remaining) - 1)
        self.time_ns = 0

    def run(self, seconds: float) -> World:
        """Go on for so long, check by check."""
        end_ns = self.time_ns + int(seconds * 1e9)
        while self.time_ns < end_ns:
            self.time_ns += CHECK_INTERVAL_NS
            self._check()
        return self

    def _check(self) -> None:
        left = self.remaining[self.state.shed]
        slowdown, cpu = (rate(self.time_ns / 1e9) * left for rate in (self.slowdown, self.cpu))
        self.slowdowns.append(slowdown)
        self.cpus.append(cpu)
        self.state = decide(self.state, self.time_ns, self._cost(slowdown, cpu))
        self.positions.append(self.state.shed)

    def _cost(self, slowdown: float, cpu: float) -> Cost:
        busy = Activity("system time", self.slowdown(self.time_ns / 1e9) * 1e6) if self.activity else None
        return Cost(
            CHECK_INTERVAL_NS,
            TargetCost(programs_ns=slowdown / 100 * CHECK_INTERVAL_NS),
            int(cpu / 100 * CHECK_INTERVAL_NS),
            activity=busy,
        )

    @property
    def changes(self) -> int:
        """How often the ladder moved."""
        steps = zip([0, *self.positions], self.positions, strict=False)
        return sum(before != after for before, after in steps)

    def longest_over(self, limit: float) -> float:
        """Seconds of the longest stretch without a check at or below a limit."""
        longest = now = 0
        for slowdown in self.slowdowns:
            now = now + 1 if slowdown > limit else 0
            longest = max(longest, now)
        return longest * CHECK_INTERVAL_NS / 1e9
