"""The source of blame where no watchpoint can stay armed: bursts are all there is."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from memprobe.blame.mutations import Mutations
from memprobe.blame.telling import Key, Told
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import SourceCosts
from memprobe.vocab.knobs import NOTHING, Knob
from memprobe.vocab.rows import CHANGE, WATCH

NAME = "blame"

IN_BURSTS = (
    "Which lines fill the containers that grow is seen in short bursts of a few changes only: the process "
    "stops for a moment at each of them."
)
UNSEEN = "Which lines fill the containers that grow is not seen: {reason}."


class BurstSource:
    """Bursts on the containers that are wanted, within a budget."""

    name = NAME

    def __init__(self, mutations: Mutations, *, tier: int) -> None:
        """Prepare to watch; `wish` says what, `afford` what it may cost; `tier` is that of the engine."""
        self._mutations = mutations
        self.tier = tier
        self._wanted: tuple[Key, ...] = ()
        self._budget_pct = 0.0
        self._is_shed = False
        self._polled_ns = 0

    def wish(self, wanted: Sequence[Key]) -> None:
        """Say who is to be watched from now on, the worst first."""
        self._wanted = tuple(wanted)

    def afford(self, budget_pct: float) -> None:
        """Say what bursts may cost the target from now on, in percent of a core."""
        self._budget_pct = budget_pct

    def start(self) -> None:
        """Begin; nothing is done before something is wanted."""
        self._polled_ns = time.monotonic_ns()

    def poll(self) -> Batch | None:
        """Make a burst if it is time, and return what it has seen."""
        now_ns, told = time.monotonic_ns(), Told()
        if not self._is_shed:
            self._mutations.step(self._wanted, self._budget_pct, now_ns, told)
        begin_ns, self._polled_ns = self._polled_ns, now_ns
        return Batch(
            source=NAME,
            begin_ns=begin_ns,
            end_ns=now_ns,
            watches=np.array(told.watches, WATCH),
            changes=np.array(told.changes, CHANGE),
            invisible=(self._invisible(),),
        )

    def settle(self) -> None:
        """Begin no other burst; what they have seen is told already."""
        self._wanted = ()

    def close(self) -> None:
        """Nothing is left behind by a burst. May be called twice."""

    def _invisible(self) -> str:
        reason = self._mutations.reason
        return UNSEEN.format(reason=reason) if reason else IN_BURSTS

    # What the governor holds on to --------------------------------------------------------------------

    def costs(self) -> SourceCosts:
        """Nothing of its own: who makes the bursts counts what they cost."""
        return SourceCosts()

    @property
    def knobs(self) -> frozenset[Knob]:
        """All or nothing."""
        return frozenset({Knob.BLAME})

    def turn(self, knob: Knob, one_in: int) -> None:
        """Stop or go on."""
        if knob is Knob.BLAME:
            self._is_shed = one_in == NOTHING
