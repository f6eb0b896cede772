"""Who fills containers where no watchpoint can stay armed: bursts, of uprobes or by a tracer.

As many are looked at in a burst as it can see at once, by turns; it speaks for the time since the one before
in which they were. Uprobes on what changes containers see all that are wanted, and cost what the program
does with all of its containers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from memprobe.blame.telling import Key, Seen, Told
from memprobe.errors import NoKernelSupport, TargetGone
from memprobe.vocab.bursts import Bursts, Looked, Mutated, Window

BURST_S = 0.25
"""A burst is not longer, however little happens."""

BURST_HITS = 10_000
"""Nor has it more hits: at 0.8 us each they hold the target up for 8 ms."""

SHORTEST_PAUSE_NS = 500_000_000
"""Between two bursts, however cheap they are: 20 uprobes take memprobe 6 ms to attach, and 6 to detach."""

LEAST_PCT = 0.001

NOT_KNOWN = "by which functions such containers are changed is not known: {reason}"


class Sized(Protocol):
    """Where a container has its size, what it is now, and of which type it is."""

    @property
    def address(self) -> int:
        """Of the size."""
        ...

    @property
    def entries(self) -> int:
        """How many it has."""
        ...

    @property
    def type(self) -> int:
        """The address of its type."""
        ...


Measure = Callable[[int, int], Sized | None]
"""Reads the size of a container (process, subject) again; None if it is not there any more."""


@dataclass(frozen=True, slots=True)
class _Last:
    """How a container stood at the end of the last burst."""

    size_address: int
    end_ns: int
    entries: int


class Mutations:
    """Looks at the containers of one process."""

    def __init__(self, mutators: Bursts, measure: Measure, seed: int) -> None:
        self._mutators, self._measure = mutators, measure
        self._random = random.Random(seed)
        self._last: dict[Key, _Last] = {}
        self._looked_ns: dict[Key, int] = {}
        self._next_ns = 0
        self.refused = ""
        """Why nothing is seen."""

    @property
    def reason(self) -> str:
        """Why nothing is seen, or not all."""
        unknown = next(iter(self._mutators.reasons.values()), "")
        return self.refused or (NOT_KNOWN.format(reason=unknown) if unknown else "")

    def step(self, wanted: Sequence[Key], budget_pct: float, now_ns: int, told: Told) -> None:
        """Make a burst if it is time, and tell what it has shown."""
        # Who was not wanted was not looked at: who comes back speaks for itself alone.
        self._last = {key: last for key, last in self._last.items() if key in wanted}
        if not wanted or self.refused or now_ns < self._next_ns:
            return
        sizes = self._turn({key: size for key in wanted if (size := self._size(key)) is not None}, now_ns)
        looked = {key: Looked(size.type, size.address) for key, size in sizes.items()}
        try:
            window = self._mutators.window(tuple(looked.values()), BURST_S, BURST_HITS)
        except NoKernelSupport as error:
            self.refused = error.line
            return
        except TargetGone:
            return  # others say so
        if window is None:
            self._next_ns = now_ns + SHORTEST_PAUSE_NS
            return
        self._wait(window, budget_pct)
        for (key, one), seen in zip(looked.items(), window.seen, strict=True):
            self._tell(key, one, window, seen, told)

    def _size(self, key: Key) -> Sized | None:
        return self._measure(*key) if key[0] == self._mutators.pid else None

    def _turn(self, sizes: Mapping[Key, Sized], now_ns: int) -> dict[Key, Sized]:
        """Those that have waited longest, as many as can be looked at; the worst of those that never were."""
        chosen = sorted(sizes, key=lambda key: self._looked_ns.get(key, 0))[: self._mutators.most]
        self._looked_ns = {key: self._looked_ns.get(key, 0) for key in sizes} | dict.fromkeys(chosen, now_ns)
        return {key: sizes[key] for key in chosen}

    def _wait(self, window: Window, budget_pct: float) -> None:
        """Set when the next burst is due: at random, so that it does not fall in step with the target."""
        pause_ns = window.cost_ns / (max(budget_pct, LEAST_PCT) / 100)
        pause_ns = max(pause_ns, SHORTEST_PAUSE_NS) * self._random.uniform(0.5, 1.5)
        self._next_ns = window.end_ns + int(pause_ns)

    def _tell(self, key: Key, one: Looked, window: Window, seen: Mutated | None, told: Told) -> None:
        """Tell of one container, if it is still the one it was: the address of a dead one comes back."""
        size = self._size(key)
        last = self._last.pop(key, None)
        if seen is None or size is None or size.address != one.size_address:
            return
        self._last[key] = _Last(one.size_address, window.end_ns, seen.entries)
        if last is None or last.size_address != one.size_address:
            last = _Last(one.size_address, window.begin_ns, seen.entries)  # it speaks for itself alone
        covered_ns = max(window.end_ns - window.begin_ns, 1)
        stands_for_ns = window.end_ns - last.end_ns
        sums = Seen(window.end_ns, seen.hits, covered_ns, stands_for_ns, seen.entries)
        told.add(key, last.end_ns, last.entries, sums, seen.changes)
