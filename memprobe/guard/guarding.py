"""A run that an application has ordered: it warns on standard error, and answers what it is asked."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from memprobe.config import Spoken, read_config
from memprobe.errors import TargetGone
from memprobe.guard.door import Door, Request
from memprobe.guard.hearing import take_word
from memprobe.guard.orders import Orders
from memprobe.native.lifetime import adopt_orphans, outlive_children
from memprobe.session import Options, Session, session
from memprobe.views.escaping import escape
from memprobe.views.findings import one_line
from memprobe.views.report import document
from memprobe.views.room import has_room

MIB = 1 << 20
STALE_NS = 10_000_000_000
"""All processes are sampled together: one whose last sample is so much older has ended."""

LONGEST_S = 600.0
"""So long somebody may wait for an analysis."""

REMEMBERED = 4096
"""Findings that have been told: more are a process that makes them up."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """One that has asked for looks at all heaps."""

    request: Request
    looks: int
    until_s: float


class Guard:
    """What an application sees of the run on itself."""

    def __init__(self, run: Session, door: Door, orders: Orders) -> None:
        self._run, self._door, self._orders = run, door, orders
        self._waiting: list[_Waiting] = []
        self._told: set[str] = set()
        self._is_stopped = False

    def goes_on(self) -> bool:
        """Answer who has asked; return whether the run goes on."""
        for request in self._door.requests():
            self._hear(request)
        self._answer_waiting()
        return not self._is_stopped

    def look(self, run: Session) -> None:
        """After every look at the process: say what is new."""
        confident = run.options.config.thresholds.confident
        found = {one.id for one in run.verdict.findings if one.confidence >= confident} - self._told
        if not found or not self._is_reached():
            return
        for one in self._report()["findings"]:
            if one["id"] in found:
                self._told.add(one["id"])
                say(f"pid {run.target.process.pid}: {one_line(one)}")
        if len(self._told) > REMEMBERED:
            self._told.clear()

    def close(self) -> None:
        """Answer those who still wait."""
        for one in self._waiting:
            one.request.answer({"report": self._report()})
        self._waiting.clear()

    def _is_reached(self) -> bool:
        """Whether a process takes so much memory that something is to be said."""
        threshold_mb = self._orders.threshold_mb
        if threshold_mb is None:
            return True
        newest = self._run.ledger.processes.newest()
        is_alive = newest["time_ns"] > newest["time_ns"].max(initial=0) - STALE_NS
        return bool((newest["rss_bytes"][is_alive] >= threshold_mb * MIB).any())

    def _hear(self, request: Request) -> None:
        match request.words.get("ask"):
            case "report":
                request.answer({"report": self._report()})
            case "analyze":
                self._analyze(request)
            case "feedback":
                request.answer(take_word(self._run, request.words))
            case "stop" if request.pid == self._run.target.process.pid:
                # Never closed: the kernel hangs up when nothing is left of this process. That is the answer.
                request.connection.detach()
                self._is_stopped = True
            case _:
                request.answer({"error": "it was asked for what it does not know, or may not do"})

    def _analyze(self, request: Request) -> None:
        timeout_s, patience_s = request.words.get("timeout_s"), LONGEST_S
        if isinstance(timeout_s, int | float) and timeout_s < LONGEST_S:  # which no NaN is
            patience_s = float(timeout_s)
        looks = self._run.ledger.looks + self._run.look_now()
        # A little earlier than the other side gives up.
        self._waiting.append(_Waiting(request, looks, time.monotonic() + 0.8 * patience_s))

    def _answer_waiting(self) -> None:
        """Answer those whose looks are done, or who cannot wait any longer."""
        now_s = time.monotonic()
        ready = [one for one in self._waiting if one.looks <= self._run.ledger.looks or one.until_s <= now_s]
        if ready:
            self._run.judge()
            report = self._report()
            self._waiting = [one for one in self._waiting if one not in ready]
            for one in ready:
                one.request.answer({"report": report})

    def _report(self) -> dict[str, Any]:
        return document(self._run.ledger, self._run.report())


def options_of(orders: Orders) -> Options:
    """Return how the run shall be: as this machine is configured, unless the application has said otherwise.

    Forks are followed: one guard is enough for a server that forks its workers.
    """
    settings = {**orders.settings, "run.tree": True}
    return Options(read_config(Spoken(preset=orders.preset, options=settings, protect=orders.patterns)))


def guarded(pid: int, orders: Orders, is_asked: Callable[[], bool]) -> None:
    """Watch a process until it ends, says so, or somebody else does."""
    try:
        with Door(orders.socket, pid) as door, session(pid, options_of(orders)) as run:
            guard = Guard(run, door, orders)
            run.run(lambda: guard.goes_on() and not is_asked(), guard.look)
            guard.close()
            adopt_orphans()  # the helpers that take the probes away are nobody's children
    except TargetGone:
        pass  # it has not waited for its guard
    outlive_children()


def say(sentence: str) -> None:
    """Write a line to standard error, which is the application's, if there is room: nobody may read it."""
    try:
        if not has_room(sys.stderr):  # else the guard would outlive its application
            return
        sys.stderr.write(f"memprobe: {escape(sentence)}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass
