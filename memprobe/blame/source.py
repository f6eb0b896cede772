"""The source of blame: watchpoints on the sizes of containers, a few at a time, within a budget of hits.

    turns         whose turn it is, and for how many hits
    mutations     what is done where debug registers cannot be had
    telling       what a watch has seen, as rows
    choosing      which containers a run wants to know about

What a watch has seen is told when it ends, and only if the container is still the one it was: the address of
one that has died comes back as another. A watch that stays armed is told every few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from memprobe.blame.mutations import Measure, Mutations
from memprobe.blame.telling import Key, Seen, Told, Turn
from memprobe.blame.turns import (
    BURST,
    HIT_NS,
    NS,
    REGISTERS,
    STEADY,
    TURN_NS,
    Chance,
    Turns,
    Watching,
    is_burst,
)
from memprobe.errors import NoKernelSupport, TargetGone
from memprobe.sources.kernel.watchpoints import UNKNOWN, Hits, RegistersTaken, Watchpoints
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import SourceCosts
from memprobe.vocab.knobs import NOTHING, Knob
from memprobe.vocab.rows import CHANGE, WATCH

NAME = "blame"

RETRY_NS = 5_000_000_000
"""Registers that another tool has are asked for again after this time."""

MOST_REMEMBERED = 1024
"""Containers whose rate of hits is remembered while they are not wanted."""

KNOWN_SOON_NS = 100_000_000
"""A slice that is shorter says little."""

TAKEN = "the debug registers of the process are taken at present by another tool, such as a debugger"

UNSEEN = "Which lines fill the containers that grow is not seen: {reason}."
ROUGHLY = "Which lines fill the containers that grow is seen in bursts only, and roughly: {reason}."


class BlameSource:
    """Watchpoints on the containers that are wanted."""

    name = NAME
    tier = 2

    def __init__(
        self,
        watchpoints: Watchpoints,
        measure: Measure,
        *,
        budget_pct: float,
        registers: int = REGISTERS,
        seed: int = 0,
        price: Callable[[], float] | None = None,
        mutations: Mutations | None = None,
    ) -> None:
        """Prepare to watch; `wish` says what, `measure` says where it is, `budget_pct` see `afford`.

        `price` measures the nanoseconds that a hit costs; it is called before the first watch. `mutations` is
        asked while no register can be had.
        """
        self._mutations = mutations
        self._price = price
        self._hit_ns = float(HIT_NS)
        self.afford(budget_pct)
        self._watchpoints = watchpoints
        self._measure = measure
        self._registers = registers
        self._chance = Chance(seed)
        self._wanted: tuple[Key, ...] = ()
        self._crowd = 1.0
        """How many share a register."""

        self._turns: dict[Key, Turns] = {}
        self._armed: list[Turn] = []
        self._is_shed = False
        self._taken_ns: int | None = None
        self._refused = ""
        self._polled_ns = 0

    def wish(self, wanted: Sequence[Key]) -> None:
        """Say who is to be watched from now on, the worst first.

        Who comes back was not watched meanwhile: a few hits of now must not speak for an hour of rest.
        """
        for key in set(wanted).difference(self._wanted) & self._turns.keys():
            self._turns[key].told_ns = 0
        self._wanted = tuple(wanted)
        if len(self._turns) > MOST_REMEMBERED:
            kept = {*wanted, *(turn.key for turn in self._armed)}
            self._turns = {key: turns for key, turns in self._turns.items() if key in kept}
        self._crowd = max(1.0, len(wanted) / self._registers)

    def afford(self, budget_pct: float) -> None:
        """Say what hits may cost the target from now on, in percent of a core."""
        self._budget_pct = budget_pct
        self.allowed_per_s = budget_pct / 100 * 1e9 / self._hit_ns
        """Hits that the target may have to take, for all registers."""

    def start(self) -> None:
        """Begin; nothing is armed before something is wanted."""
        self._polled_ns = time.monotonic_ns()

    def poll(self) -> Batch | None:
        """Return what the watches that ended have seen, and give others their turn."""
        now_ns, told = time.monotonic_ns(), Told()
        for turn in list(self._armed):
            self._look(turn, now_ns, told)
        self._open(now_ns)
        if self._mutations is not None and self._lacks_registers and not self._is_shed:
            self._mutations.step(self._wanted, self._budget_pct, now_ns, told)
        begin_ns, self._polled_ns = self._polled_ns, now_ns
        return Batch(
            source=NAME,
            begin_ns=begin_ns,
            end_ns=now_ns,
            watches=np.array(told.watches, WATCH),
            changes=np.array(told.changes, CHANGE),
            invisible=self._invisible(),
        )

    def settle(self) -> None:
        """Have all turns end with the next batch."""
        self._wanted = ()

    def close(self) -> None:
        """Take all watchpoints away. May be called twice."""
        while self._armed:
            self._watchpoints.drop(self._armed.pop().watch)

    # What the governor holds on to --------------------------------------------------------------------

    def costs(self) -> SourceCosts:
        """Nothing of its own: hits and armed registers are counted by the source of the programs."""
        return SourceCosts()

    @property
    def knobs(self) -> frozenset[Knob]:
        """All or nothing."""
        return frozenset({Knob.BLAME})

    def turn(self, knob: Knob, one_in: int) -> None:
        """Stop or go on watching."""
        if knob is Knob.BLAME:
            self._is_shed = one_in == NOTHING
            if self._is_shed:
                self.close()

    # Turns ------------------------------------------------------------------------------------------

    def _look(self, turn: Turn, now_ns: int, told: Told) -> None:
        """See whether a turn is over, and whether its container is still the one it was."""
        size = self._measure(*turn.key)
        if size is None or size.address != turn.watch.address:
            self._drop(turn)
            return
        hits = self._watchpoints.hits(turn.watch)
        is_over = self._is_over(turn, hits, now_ns)
        turn.looked_hits = hits.count
        if is_over or now_ns - turn.begin_ns >= TURN_NS:
            self._end(turn, size.entries, told, goes_on=not is_over)

    def _is_over(self, turn: Turn, hits: Hits, now_ns: int) -> bool:
        """Whether the register is needed, or the hits are too many, or enough is known."""
        if turn.key not in self._wanted:
            return True
        watched_ns = now_ns - turn.begin_ns
        if turn.how is not STEADY:
            return hits.count >= turn.how.limit or watched_ns >= KNOWN_SOON_NS
        others_wait = len(self._wanted) > len(self._armed) and len(self._armed) >= self._registers
        over = others_wait and watched_ns >= TURN_NS
        return over or is_burst(hits.count - turn.looked_hits, self.allowed_per_s)

    def _end(self, turn: Turn, entries: int, told: Told, *, goes_on: bool) -> None:
        """Tell what was seen; a watch that stays armed begins anew."""
        keeps = goes_on and turn.how is STEADY
        if not keeps:
            self._watchpoints.disarm(turn.watch)
            self._armed.remove(turn)
        # This very moment: memprobe may have waited for a processor since it began to look.
        now_ns = time.monotonic_ns()
        hits = self._watchpoints.hits(turn.watch)
        changes = self._watchpoints.changes(turn.watch)[turn.watch.number]
        seen = self._seen(turn, hits, now_ns, entries)
        told.add(turn.key, turn.begin_ns, turn.entries_before, seen, changes)
        if keeps:
            turn.begin_ns, turn.entries_before, turn.hits_before = now_ns, entries, hits.count
        else:
            self._watchpoints.forget(turn.watch)

    def _seen(self, turn: Turn, hits: Hits, now_ns: int, entries: int) -> Seen:
        """Sum up a watch, and remember how busy its container was."""
        turns, count = self._turns[turn.key], hits.count - turn.hits_before
        covered_ns = turn.covered_ns(hits, now_ns)
        stands_for_ns = turn.stands_for_ns(covered_ns, now_ns, turns.told_ns, self._crowd)
        turns.learn(count, covered_ns)
        turns.last_end_ns = turns.told_ns = now_ns
        return Seen(now_ns, count, covered_ns, stands_for_ns, entries)

    def _drop(self, turn: Turn) -> None:
        """Forget what was seen of a container that is not there any more: it may have been another's."""
        self._watchpoints.drop(turn.watch)
        self._armed.remove(turn)
        self._turns.pop(turn.key, None)

    def _open(self, now_ns: int) -> None:
        """Give the free registers to those whose turn it is."""
        if self._is_shed or self._refused:
            return
        if self._wanted and self._price is not None:
            self._hit_ns, self._price = self._price(), None
            self.afford(self._budget_pct)
        if self._taken_ns is not None and now_ns - self._taken_ns < RETRY_NS:
            return
        elapsed_ns, allowed_per_s = now_ns - self._polled_ns, self._allowed_per_register()
        for key in self._queue():
            if len(self._armed) >= self._registers:
                return
            turns = self._turns.setdefault(key, Turns())
            how = turns.next(allowed_per_s)
            expected = turns.expected_hits(how, elapsed_ns)
            if self._is_new(turns) or self._chance.comes(expected, elapsed_ns, allowed_per_s):
                # One a poll at most, however many are allowed.
                every_ns = max(elapsed_ns, int(expected / max(allowed_per_s, 1.0) * NS))
                self._arm(key, how, now_ns, every_ns)

    def _is_new(self, turns: Turns) -> bool:
        """Whether it is one of the first to be watched at all: they need not wait for their chance."""
        return turns.is_new and sum(not one.is_new for one in self._turns.values()) < self._registers

    def _allowed_per_register(self) -> float:
        return self.allowed_per_s / max(1, min(self._registers, len(self._wanted)))

    def _queue(self) -> list[Key]:
        """Return who waits: the worst of those that never had a turn, then who has waited longest."""
        armed = {turn.key for turn in self._armed}
        waiting = [key for key in self._wanted if key not in armed]
        return sorted(waiting, key=lambda key: self._turns[key].last_end_ns if key in self._turns else 0)

    def _arm(self, key: Key, how: Watching, now_ns: int, every_ns: int) -> None:
        """Arm a container; one whose size cannot be found has no turn."""
        # What happens from here on is seen: what the size was is known, and the first hit says what it is.
        begin_ns = time.monotonic_ns()
        size = self._measure(*key)
        if size is None:
            return
        try:
            watch = self._watchpoints.arm(
                key[0],
                size.address,
                limit=how.limit,
                last=UNKNOWN if how is BURST else size.entries,
            )
        except RegistersTaken:
            self._taken_ns = now_ns
            return
        except NoKernelSupport as error:
            self._refused = error.line
            return
        except TargetGone:
            return  # others say so
        self._taken_ns = None
        self._armed.append(Turn(key, watch, how, begin_ns, size.entries, every_ns))

    @property
    def _lacks_registers(self) -> bool:
        """Whether no watch is possible, or none at present."""
        return bool(self._refused) or (self._taken_ns is not None and not self._armed)

    def _invisible(self) -> tuple[str, ...]:
        if not self._lacks_registers:
            return ()
        if self._mutations is None or self._mutations.refused:
            return tuple(UNSEEN.format(reason=one) for one in self._reasons())
        return tuple(ROUGHLY.format(reason=one) for one in self._reasons())

    def _reasons(self) -> list[str]:
        """Why no registers can be had; and, if they are not used either, why not uprobes."""
        reasons = [self._refused or TAKEN]
        return reasons if self._mutations is None else [*reasons, *filter(None, [self._mutations.reason])]
