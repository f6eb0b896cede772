"""How long the pauses between windows are, so that the target keeps its share of time."""

from __future__ import annotations

LEAST_BUSY = 0.2
"""A target that is less busy is charged as if it used this much of a core, as the governor does."""

KEPT = 0.8
"""Of the budget, so much is used: the rest is for what cannot be foreseen, such as a crowd at the end."""

SLICE_S = 2.5
"""What may be spent in so long is spent at once: half of what the governor lets pass at once, for a target
that is as good as idle 4 ms, for a busy one 20."""


class Pauses:
    """A window may cost a slice and a share of the time it lasts; then the slice is saved up again."""

    def __init__(self, slowdown_pct: float, slice_ns: int | None = None) -> None:
        self._slowdown = slowdown_pct / 100 * KEPT
        self._chosen_ns = slice_ns
        self._busy = LEAST_BUSY
        self._read: tuple[int, int] | None = None
        self._due_ns = 0

    @property
    def share(self) -> float:
        """What of the time that passes the target may be stopped."""
        return self._slowdown * self._busy

    @property
    def slice_ns(self) -> int:
        """For so long threads may be stopped in all before there is a pause."""
        return int(self.share * SLICE_S * 1e9) if self._chosen_ns is None else self._chosen_ns

    def is_due(self, now_ns: int) -> bool:
        """Whether the next window may begin."""
        return now_ns >= self._due_ns

    def over(self, now_ns: int) -> None:
        """A window has ended: begin to save."""
        self.charge(now_ns, self.slice_ns)

    def charge(self, now_ns: int, stopped_ns: int) -> None:
        """So long the target was stopped: save that up, too, before the next window."""
        self._due_ns = max(self._due_ns, now_ns) + int(stopped_ns / self.share)

    def note(self, now_ns: int, cpu_ns: int) -> None:
        """Take how much CPU time the target has used so far."""
        if self._read is not None and now_ns > self._read[0]:
            used = (cpu_ns - self._read[1]) / (now_ns - self._read[0])
            self._busy += (min(1.0, max(LEAST_BUSY, used)) - self._busy) / 4
        self._read = now_ns, cpu_ns
