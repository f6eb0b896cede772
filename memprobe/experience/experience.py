"""What a run knows of earlier ones, and what it will hand on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memprobe.experience.lessons import Stand, lessons
from memprobe.experience.lifetimes import Lifetimes
from memprobe.learned import Lessons, Observed, Reported, Store, StoreFailed
from memprobe.ledger import Ledger
from memprobe.ledger.entries import Mark
from memprobe.ledger.ledger import News
from memprobe.models.learning.habit import Habit, merged
from memprobe.models.learning.normal import Normal
from memprobe.models.learning.opinion import Opinion, Verdict, faded
from memprobe.vocab.finding import Finding
from memprobe.vocab.rows import NOT_MEASURED, Rows
from memprobe.vocab.sort import site_of


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was known before a run."""

    program: str
    normal: Normal
    remarks: tuple[str, ...] = ()
    """What went wrong, as sentences."""


def remembered(program: str, path: Path | None = None, now_s: float | None = None) -> Remembered:
    """Read what earlier runs have learned of a program; what is old weighs less."""
    now_s = time.time() if now_s is None else now_s
    try:
        with Store(path) as store:
            habits = {}
            for known in store.habits(program):
                try:
                    habits[known.sort] = Habit.from_json(known.state).faded(now_s - known.updated_s)
                except (ValueError, TypeError):
                    continue  # damaged by somebody: the next run of it writes it anew
            opinions = tuple(
                Opinion(said.key, Verdict(said.verdict), said.reason, faded(1.0, now_s - said.said_s))
                for said in store.opinions()
                if said.verdict in tuple(Verdict)
            )
            # As a replay will read it, to the last digit.
            normal = Normal.from_json(Normal(habits, opinions).as_json())
            return Remembered(program, normal, store.remarks)
    except StoreFailed as error:
        return Remembered(program, Normal(), (f"Nothing is known of earlier runs: {error}.",))


class Experience:
    """Watches how long things live in a run, so that it can be told what is normal there."""

    def __init__(self, pid: int, *, tree: bool = False, normal: Normal | None = None) -> None:
        self.lifetimes = Lifetimes(None if tree else pid)
        self.normal = normal or Normal()
        self.normal.live = self.lifetimes
        self._pid = pid

    def fold(self, ledger: Ledger, news: News, samples: Rows) -> None:
        """Take in what a batch brought, after the ledger has; with a sample of the target, sort it."""
        self.lifetimes.add(news.finished)
        own = samples[samples["pid"] == self._pid] if len(samples) else samples
        if not len(own):
            return
        if self.lifetimes.uptime_s is None and own["age_ns"][0] != NOT_MEASURED:
            self.lifetimes.uptime_s = float(own["age_ns"][0]) / 1e9
        self.lifetimes.sort_out(ledger, int(own["time_ns"].max()))

    def hand_on(
        self,
        program: str,
        ledger: Ledger,
        stands: Iterable[Stand],
        findings: Sequence[Finding],
        path: Path | None = None,
    ) -> tuple[str, ...]:
        """Write down what this run has to teach; return in sentences what went wrong."""
        now_s = time.time()
        learned = lessons(self.lifetimes, stands, ledger.duration_s, self.normal)
        taught = Lessons(
            {sort: habit.as_json() for sort, habit in learned.items()},
            self._observed(ledger),
            [_reported(program, finding, now_s) for finding in findings],
        )
        try:
            with Store(path) as store:
                store.learn(program, taught, merged, now_s)
                return store.remarks
        except StoreFailed as error:
            return (f"Nothing of this run is remembered: {error}.",)

    def _observed(self, ledger: Ledger) -> list[Observed]:
        """Return the last lifetimes that ended and whose begin was seen."""
        rows = self.lifetimes.last
        rows = rows[(rows["marks"] & Mark.INHERITED) == 0]
        ages = ((rows["end_ns"] - rows["seen_ns"]) / 1e9).tolist()
        names = (rows[name].tolist() for name in ("stack_id", "extension", "kind", "size_bytes"))
        return [
            Observed(self.lifetimes.sort_of(stack, extension, kind, ledger), age_s, size or None, ended=True)
            for stack, extension, kind, size, age_s in zip(*names, ages, strict=True)
        ]


def recorded_normal(facts: Mapping[str, Any]) -> Normal:
    """Return what a recorded run knew of earlier ones; nothing in a recording of before there was this."""
    return Normal.from_json(facts.get("learned", {}))


def _reported(program: str, finding: Finding, now_s: float) -> Reported:
    site = site_of(finding.site)
    return Reported(program, finding.id, finding.kind.value, finding.title, site, finding.confidence, now_s)
