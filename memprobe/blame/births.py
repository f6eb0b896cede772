"""The source of births: which lines make the objects that stay, for types that no single container explains.

Bursts and looks as `memprobe blame --object-births` makes them (survivors.py), for as long as something is
wanted of which not enough is known. What is told are rows like those of a container that is watched: the
estimate of what each stack has made stay since the beginning, less what was told before.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import suppress

import numpy as np

from memprobe.blame.survivors import Survivors, SurvivorSampling
from memprobe.errors import NoKernelSupport, TargetGone
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import SourceCosts
from memprobe.vocab.knobs import NOTHING, Knob
from memprobe.vocab.rows import CHANGE, WATCH

NAME = "object births"

Key = tuple[int, int]
"""Process and subject."""

TELL_NS = 5_000_000_000
"""Between two tellings."""

ENOUGH = 30
"""So many survivors tell a line that makes half of them from one that makes a fifth."""

PATIENCE_NS = 300_000_000_000
"""A type is given up after this time, even if too little was caught: whatever is so rare is not found so."""

REST_NS = 3_600_000_000_000
"""And is wanted again after this one: what was a warm-up then may be a leak by now."""

REMEMBERED = 1024
"""Types that were given up, or are known; those of processes long gone among them."""


class BirthSource:
    """Samples the births of one process while somebody wants to know."""

    name = NAME
    tier = 2

    def __init__(self, sampling: SurvivorSampling) -> None:
        """Prepare to sample; `wish` says what for, `afford` what it may cost."""
        self._sampling = sampling
        self._wanted: dict[Key, str] = {}
        self._tried_ns: dict[Key, int] = {}
        """Since when a subject was sampled for."""

        self._told: dict[tuple[Key, int], int] = {}
        self._caught: dict[Key, int] = {}
        self._since_ns: dict[Key, int] = {}
        """When a subject was last told of: what is told next is of the time since."""

        self._begin_ns = self._told_ns = self._polled_ns = 0
        self._is_shed = False
        self._refused = ""

    def wish(self, wanted: Mapping[Key, str]) -> None:
        """Say whose births are wanted from now on: types by process and subject."""
        self._wanted = {key: name for key, name in wanted.items() if self._caught.get(key, 0) < ENOUGH}

    def afford(self, budget_pct: float) -> None:
        """Say what bursts may cost the target from now on, in percent of a core."""
        self._sampling.afford(budget_pct)

    def start(self) -> None:
        """Begin; nothing is traced before something is wanted."""
        self._polled_ns = time.monotonic_ns()

    def poll(self) -> Batch | None:
        """Do what is due: a look, a burst; tell now and then."""
        now_ns = time.monotonic_ns()
        watches: list[tuple[int, ...]] = []
        changes: list[tuple[int, ...]] = []
        if self._is_possible and self._is_wanted(now_ns):
            self._step(now_ns)
            if self._told_ns and now_ns - self._told_ns >= TELL_NS:
                self._tell(now_ns, watches, changes)
        begin_ns, self._polled_ns = self._polled_ns, now_ns
        return Batch(
            source=NAME,
            begin_ns=begin_ns,
            end_ns=now_ns,
            watches=np.array(watches, WATCH),
            changes=np.array(changes, CHANGE),
            invisible=(self._refused,) if self._refused else (),
        )

    def settle(self) -> None:
        """Have what is known told with the next batch."""
        self._told_ns = min(self._told_ns, time.monotonic_ns() - TELL_NS) if self._told_ns else 0

    def close(self) -> None:
        """Nothing is attached between bursts."""
        self._wanted = {}

    # What the governor holds on to --------------------------------------------------------------------

    def costs(self) -> SourceCosts:
        """Nothing of its own: hits are counted by the source of the programs."""
        return SourceCosts()

    @property
    def knobs(self) -> frozenset[Knob]:
        """All or nothing."""
        return frozenset({Knob.BURSTS})

    def turn(self, knob: Knob, one_in: int) -> None:
        """Stop or go on."""
        if knob is Knob.BURSTS:
            self._is_shed = one_in == NOTHING

    # Sampling -----------------------------------------------------------------------------------------

    @property
    def _is_possible(self) -> bool:
        return not (self._is_shed or self._refused)

    def _is_wanted(self, now_ns: int) -> bool:
        """Tell whether something is wanted that was not given up; what comes anew may have all begin anew."""
        new = [key for key in self._wanted if now_ns - self._tried_ns.get(key, -REST_NS) >= REST_NS]
        if new and self._begin_ns and now_ns - self._begin_ns >= PATIENCE_NS:
            self._begin_ns = 0  # what was caught so far says little of what grows now
        self._tried_ns |= dict.fromkeys(new, now_ns)
        return any(now_ns - self._tried_ns[key] < PATIENCE_NS for key in self._wanted)

    def _step(self, now_ns: int) -> None:
        with suppress(TargetGone):  # others say so
            try:
                if self._begin_ns or self._begin(now_ns):
                    self._sampling.step(now_ns)
            except NoKernelSupport as error:
                self._refused = f"Which lines make the objects that stay is not seen: {error.line}."

    def _begin(self, now_ns: int) -> bool:
        if not self._sampling.prepare():
            self._refused = f"Which lines make the objects that stay is not seen: {self._sampling.reason}."
            return False
        self._sampling.begin(now_ns)
        self._begin_ns = self._told_ns = now_ns
        self._told, self._since_ns = {}, {}
        known = [item for item in self._caught.items() if item[1] >= ENOUGH]
        self._caught = dict(known[-REMEMBERED:])
        self._tried_ns = dict([*self._tried_ns.items()][-REMEMBERED:])
        return True

    def _tell(self, now_ns: int, watches: list[tuple[int, ...]], changes: list[tuple[int, ...]]) -> None:
        """Tell what was made since the last telling, of every type that is wanted."""
        self._told_ns = now_ns
        found = self._sampling.result(now_ns)
        for key, name in self._wanted.items():
            own = [one for one in found if one.type == name and one.per_s.best > 0]
            if own:
                caught = sum(one.caught for one in own)
                new = max(caught - self._caught.get(key, 0), 0)
                self._caught[key] = caught
                pid, subject = key
                begin_ns = self._since_ns.get(key, self._begin_ns)
                self._since_ns[key] = now_ns
                lasted_ns = now_ns - begin_ns
                watches.append((begin_ns, now_ns, subject, pid, new, lasted_ns, lasted_ns, 0, 0))
                changes += [self._change(key, one, begin_ns, now_ns) for one in own]

    def _change(self, key: Key, one: Survivors, begin_ns: int, now_ns: int) -> tuple[int, ...]:
        """What a stack has made by now, less what was told; known better by now, it may be less."""
        total = math.ceil(one.per_s.best * (now_ns - self._begin_ns) / 1e9)
        told = self._told.get((key, one.stack_id), 0)
        self._told[key, one.stack_id] = total
        pid, subject = key
        return begin_ns, subject, one.stack_id, pid, one.caught, max(total - told, 0), max(told - total, 0)
