"""The ladder: what is shed, rung by rung, in the one order that is promised.

Whatever has happened, the rungs that are shed are the first ones: a rung never goes before the one
above it. Rungs that no source of this run has are not in the ladder.
"""

from __future__ import annotations

from collections.abc import Iterable

from memprobe.vocab.knobs import ALL, NOTHING, SHARES, Knob, Rung, Turn

SENTENCES: dict[Knob, str] = {
    Knob.BURSTS: "Allocations were not traced in bursts",
    Knob.BLAME: "Who fills a growing container was not watched",
    Knob.GROWTH_STACKS: "Growing memory was counted without its stacks",
    Knob.HANDLE_STACKS: "Handles were counted without their birth stacks",
    Knob.SNAPSHOTS: "Nothing was read from the heap",
    Knob.MEMORY_PROBES: "Memory was observed by polling /proc only",
    Knob.SYSCALL_PROBES: "Handles were observed by polling /proc only, without short-lived ones and births",
}
"""What is invisible while a knob is at NOTHING."""

PARTLY: dict[Knob, str] = {
    Knob.HANDLE_STACKS: "Only one handle in {one_in} got its birth stack (every birth was counted)",
    Knob.SNAPSHOTS: "Snapshots were {one_in} times further apart",
}
"""What is invisible while a knob is turned down, but not to NOTHING."""


def ladder(knobs: Iterable[Knob]) -> tuple[Rung, ...]:
    """Return the rungs of these knobs, first to be shed first."""
    present = frozenset(knobs)
    return tuple(Rung(knob, share) for knob in Knob if knob in present for share in SHARES[knob])


def settings(rungs: tuple[Rung, ...], shed: int) -> dict[Knob, int]:
    """Return where each knob stands when the first `shed` rungs are shed."""
    return {rung.knob: ALL for rung in rungs} | {rung.knob: rung.one_in for rung in rungs[:shed]}


def turns(rungs: tuple[Rung, ...], before: int, after: int) -> tuple[Turn, ...]:
    """Return the orders that lead from one position to another.

    Down: the last knob first, because it saves most and a target in trouble waits. Up: the same, so
    that handles are counted again before they get stacks.
    """
    old, new = settings(rungs, before), settings(rungs, after)
    changed = [Turn(knob, new[knob]) for knob in new if new[knob] != old[knob]]
    return tuple(reversed(changed))


def sentence(rung: Rung) -> str:
    """Return what cannot be seen while this rung is the last one shed of its knob, without a full stop."""
    if rung.one_in == NOTHING:
        return SENTENCES[rung.knob]
    return PARTLY[rung.knob].format(one_in=rung.one_in)
