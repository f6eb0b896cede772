"""When the heap of which process is looked at next. Pure: times are given, nothing is asked of a clock.

    first look      at once
    second          SECOND_NS after the first began: what has grown meanwhile is worth watching
    later ones      as far apart as SHARE of a core allows, at least PAUSE_NS

The first two may cost more than the share: they are spent ahead, and paid back by all the time in which
nothing is read. So over a long run the looks at all processes together cost SHARE of one core, plus at most
MOST_AHEAD_NS and one look.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from memprobe.vocab import TargetId

NS = 1_000_000_000

SHARE = 0.02
"""Of one core: two fifths of what memprobe may use in the steady state."""

SECOND_NS = 8 * NS
"""A leak of 10 a second has grown by 80 by then, and 20 s are not over."""

REST_NS = 2 * NS
"""Between the end of a look and the next of the same process, however long it took."""

PAUSE_NS = 10 * NS
"""Between two looks that cost next to nothing."""

MOST_AHEAD_NS = 20 * NS
"""CPU time that first and second looks may spend ahead: two of a heap of some 10 M objects."""

_EARLY = 2


@dataclass(slots=True)
class _Turn:
    """When it is a process's turn."""

    due_ns: int
    looks: int = 0
    begun_ns: int = 0


class Pace:
    """Keeps the turns of all followed processes."""

    def __init__(self) -> None:
        self._turns: dict[TargetId, _Turn] = {}
        self._one_in = 1
        self._ahead_ns = 0.0
        self._settled_ns: int | None = None

    def follow(self, targets: Iterable[TargetId], now_ns: int) -> None:
        """Say which processes there are; a new one is due at once."""
        self._turns = {target: self._turns.get(target) or _Turn(now_ns) for target in targets}

    def next(self, now_ns: int) -> TargetId | None:
        """Return whose turn it is; None if it is nobody's."""
        may_be_early = self.ahead_ns(now_ns) < MOST_AHEAD_NS
        due = [
            (turn.looks >= _EARLY, turn.due_ns, target)
            for target, turn in self._turns.items()
            if turn.due_ns <= now_ns and (may_be_early or turn.looks >= _EARLY)
        ]
        return min(due, key=lambda one: one[:2])[2] if due else None

    def begun(self, target: TargetId, now_ns: int) -> None:
        """Note that a look begins."""
        self._turns[target].begun_ns = now_ns

    def done(self, target: TargetId, cost_ns: int, now_ns: int) -> None:
        """Note that a look is over, and the CPU time that it took."""
        self._ahead_ns = self.ahead_ns(now_ns) + cost_ns
        turn = self._turns.get(target)
        if turn is None:
            return
        turn.looks += 1
        if turn.looks < _EARLY:
            turn.due_ns = max(turn.begun_ns + SECOND_NS, now_ns + REST_NS)
        else:
            share = SHARE / self._one_in / len(self._turns)
            turn.due_ns = now_ns + max(PAUSE_NS * self._one_in, int(cost_ns / share))

    def failed(self, target: TargetId, pause_ns: int, now_ns: int) -> None:
        """Note that a process cannot be looked at, and let it alone for a while."""
        if target in self._turns:
            self._turns[target] = _Turn(now_ns + pause_ns)

    def forget(self, target: TargetId) -> None:
        """Begin anew with a process when it is followed the next time."""
        self._turns.pop(target, None)

    def slower(self, one_in: int, now_ns: int) -> None:
        """Look one in so many times as often from now on."""
        self._ahead_ns, self._one_in = self.ahead_ns(now_ns), one_in

    def ahead_ns(self, now_ns: int) -> int:
        """Return the CPU time that was spent ahead of the share, and is not paid back yet."""
        if self._settled_ns is not None:
            paid_ns = (now_ns - self._settled_ns) * SHARE / self._one_in
            self._ahead_ns = max(0.0, self._ahead_ns - paid_ns)
        self._settled_ns = now_ns
        return int(self._ahead_ns)
