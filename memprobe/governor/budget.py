"""How far one rate may be over its limit, and for how long.

A bucket fills at the limit and is emptied by what is spent. So short bursts pass, and over any time T
the mean is at most limit + slack / T, as long as shedding follows an empty bucket. A rate just above the
limit would take minutes to empty it: `sustained_ns` without a break count as empty too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SMOOTHING_NS = 1_000_000_000
"""A rate is smoothed over this long: own CPU time at 200 ms is jumpy, a tick drains and computes."""

DEBT_SHARE = 0.25
"""A bucket is overdrawn by at most this share of it: the rest was spent before anything could be done."""


@dataclass(frozen=True, slots=True)
class Meter:
    """One rate against its limit."""

    limit_pct: float
    """What may be spent, of the time that passes."""

    sustained_ns: int
    """Over the limit for this long is too long, by however little."""

    slack_ns: float
    """What the bucket holds when it is full."""

    credit_ns: float
    """What the bucket holds now; negative: overdrawn."""

    rate_pct: float = 0.0
    """Smoothed since the last change of the ladder."""

    observed_ns: int = 0
    """How long the rate has been observed since then."""

    over_ns: int = 0
    """How long it has been over the limit without a break."""

    @classmethod
    def full(cls, limit_pct: float, slack_s: float, sustained_ns: int) -> Meter:
        """A meter with a full bucket, `slack_s` seconds' worth of the limit."""
        slack_ns = limit_pct / 100 * slack_s * 1e9
        return cls(limit_pct, sustained_ns, slack_ns, slack_ns)

    def spend(self, cost_ns: float, elapsed_ns: int) -> Meter:
        """Return the meter after `elapsed_ns` in which `cost_ns` was spent."""
        credit_ns = self.credit_ns + elapsed_ns * self.limit_pct / 100 - cost_ns
        rate_pct = self._smoothed(cost_ns / elapsed_ns * 100, elapsed_ns)
        return replace(
            self,
            credit_ns=min(max(credit_ns, -self.slack_ns * DEBT_SHARE), self.slack_ns),
            rate_pct=rate_pct,
            observed_ns=self.observed_ns + elapsed_ns,
            over_ns=self.over_ns + elapsed_ns if rate_pct > self.limit_pct else 0,
        )

    def _smoothed(self, now_pct: float, elapsed_ns: int) -> float:
        """The mean since the last change at first, then over about SMOOTHING_NS."""
        weight = elapsed_ns / (elapsed_ns + min(self.observed_ns, SMOOTHING_NS))
        return self.rate_pct + (now_pct - self.rate_pct) * weight

    def forget(self, *, is_over: bool) -> Meter:
        """Return the meter with its rate unknown: what was observed belongs to another setting.

        Patience is not renewed by a change that was to end an overrun (`is_over`): if it did not, the
        next one follows as soon as that is seen.
        """
        return replace(self, rate_pct=0.0, observed_ns=0, over_ns=self.over_ns if is_over else 0)

    @property
    def ratio(self) -> float:
        """The rate as a multiple of the limit."""
        return self.rate_pct / self.limit_pct

    @property
    def is_exhausted(self) -> bool:
        """Whether something must be shed."""
        return self.ratio > 1 and (self.credit_ns <= 0 or self.over_ns >= self.sustained_ns)

    @property
    def is_solvent(self) -> bool:
        """Whether something may be taken up again."""
        return self.ratio <= 1 and self.credit_ns >= self.slack_ns * DEBT_SHARE
