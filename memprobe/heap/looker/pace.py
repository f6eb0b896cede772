"""When the heap of which process is looked at next. Pure: times are given, nothing is asked of a clock.

    early    in the first EARLY_NS of a process every few seconds: what grows shall be known soon
    later    as far apart as SHARE of a core allows, at least PAUSE_NS

Early looks may cost more than the share: they are spent ahead, and paid back by all the time in which
nothing is read. So over a long run the looks at all processes together cost SHARE of one core, plus at most
MOST_AHEAD_NS and one look.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from memprobe.config import DEFAULTS
from memprobe.vocab import TargetId

NS = 1_000_000_000

SHARE = DEFAULTS.budget.heap_pct / 100
"""Of one core, unless it is set: two fifths of what memprobe may use in the steady state."""

EARLY_NS = 30 * NS
"""A leak of 10 a second shall be found after 20 s."""

REST_NS = int(DEFAULTS.intervals.heap_early_s * NS)
"""Between two early looks, unless it is set; and longer the older the process is to us."""

PAUSE_NS = int(DEFAULTS.intervals.heap_s * NS)
"""Between two later ones that cost next to nothing, unless it is set."""

MOST_AHEAD_NS = 12 * NS
"""CPU time after which no more early looks begin: two at a heap of some 5 M objects are possible."""

_SLOWING = 4
_NEVER = 1 << 63


@dataclass(slots=True)
class _Turn:
    """When it is a process's turn."""

    early_ns: int
    """If it may be spent ahead; else later."""

    later_ns: int = _NEVER
    """Whatever was spent before; a process that has not been looked at waits until it may be early."""

    first_ns: int | None = None
    """When its first look began."""


class Pace:
    """Keeps the turns of all followed processes."""

    def __init__(self, *, share: float = SHARE, rest_ns: int = REST_NS, pause_ns: int = PAUSE_NS) -> None:
        self._share, self._rest_ns, self._pause_ns = share, rest_ns, pause_ns
        self._turns: dict[TargetId, _Turn] = {}
        self._one_in = 1
        self._ahead_ns = 0.0
        self._settled_ns: int | None = None

    def follow(self, targets: Iterable[TargetId], now_ns: int) -> None:
        """Say which processes there are; a new one is due at once."""
        self._turns = {target: self._turns.get(target) or _Turn(now_ns) for target in targets}

    def next(self, now_ns: int) -> TargetId | None:
        """Return whose turn it is, who has waited longest; None if it is nobody's."""
        may_be_early = self.ahead_ns(now_ns) < MOST_AHEAD_NS
        dues = {
            target: turn.early_ns if may_be_early else turn.later_ns for target, turn in self._turns.items()
        }
        due = [target for target, due_ns in dues.items() if due_ns <= now_ns]
        return min(due, key=lambda target: dues[target], default=None)

    def hurry(self, now_ns: int) -> None:
        """Have every process looked at as soon as may be, whatever was spent before."""
        for turn in self._turns.values():
            turn.early_ns = turn.later_ns = now_ns

    def begun(self, target: TargetId, now_ns: int) -> None:
        """Note that a look begins."""
        turn = self._turns[target]
        turn.first_ns = now_ns if turn.first_ns is None else turn.first_ns

    def done(self, target: TargetId, cost_ns: int, now_ns: int) -> None:
        """Note that a look is over, and the CPU time that it took."""
        self._pay_back(now_ns)
        self._ahead_ns += cost_ns
        turn = self._turns.get(target)
        if turn is None or turn.first_ns is None:
            return
        share = self._share / self._one_in / len(self._turns)
        age_ns = now_ns - turn.first_ns
        turn.later_ns = now_ns + max(self._pause_ns * self._one_in, int(cost_ns / share))
        is_early = age_ns < EARLY_NS and self._one_in == 1
        turn.early_ns = now_ns + max(self._rest_ns, age_ns // _SLOWING) if is_early else turn.later_ns

    def failed(self, target: TargetId, pause_ns: int, now_ns: int) -> None:
        """Note that a process cannot be looked at, and let it alone for a while."""
        if target in self._turns:
            self._turns[target] = _Turn(now_ns + pause_ns)

    def forget(self, target: TargetId) -> None:
        """Begin anew with a process when it is followed the next time."""
        self._turns.pop(target, None)

    def slower(self, one_in: int, now_ns: int) -> None:
        """Look one in so many times as often from now on."""
        self._pay_back(now_ns)
        self._one_in = one_in

    def ahead_ns(self, now_ns: int) -> int:
        """Return the CPU time that was spent ahead of the share, and is not paid back yet."""
        self._pay_back(now_ns)
        return int(self._ahead_ns)

    def _pay_back(self, now_ns: int) -> None:
        """Pay back what the time since the last call is worth."""
        if self._settled_ns is not None:
            paid_ns = (now_ns - self._settled_ns) * self._share / self._one_in
            self._ahead_ns = max(0.0, self._ahead_ns - paid_ns)
        self._settled_ns = now_ns
