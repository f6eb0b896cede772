"""A recording folded as its run was: the same ledger, the same findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from memprobe.detectors.verdicts import Verdicts
from memprobe.errors import UnreadableRecording, UsageError
from memprobe.experience import Experience, recorded_normal
from memprobe.ledger import Ledger
from memprobe.ledger.opening import opening
from memprobe.models.learning.normal import Normal
from memprobe.recording.reader import RecordingReader
from memprobe.session.folding import Judge, fold, run_of
from memprobe.views.report import Run
from memprobe.vocab.batch import Batch
from memprobe.vocab.finding import USD_PER_GB_HOUR, Verdict

NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a recording, in seconds from its start; negative ones count from its end."""

    begin_s: float | None = None
    end_s: float | None = None


class Replay:
    """A recording under way: what its run had come to at the instant that is reached."""

    def __init__(self, reader: RecordingReader, usd_per_gb_hour: float | None, *judges: Judge) -> None:
        self._reader, self._judges = reader, judges
        self._facts = _whole(reader)
        self._run = _run_of(reader, self._facts)
        self.ledger = Ledger(tree=self._run.tree)
        price = _price(reader.facts) if usd_per_gb_hour is None else usd_per_gb_hour
        normal = _normal(reader)
        self._root = int(self._facts.get("root", self._run.pid))
        self._experience = Experience(self._root, tree=self._run.tree, normal=normal)
        self.verdicts = Verdicts(self._root, tree=self._run.tree, normal=normal, usd_per_gb_hour=price)
        self.verdicts.main = self._run.pid

    def fold(self, batch: Batch) -> None:
        """Take in what comes next."""
        fold(self.ledger, batch, self._root, self._experience, self.verdicts, *self._judges)

    def run(self) -> Run:
        """What is known of the run beside the ledger."""
        told = (*self._run.invisible, *filter(None, (self._reader.damage.sentence(), self._cut_off())))
        start = self._run.created_at
        if self._late_s > 1:
            start = _later(start, self._late_s)
        return replace(self._run, verdict=self.verdicts.verdict, invisible=told, created_at=start)

    @property
    def _late_s(self) -> float:
        """How much later than its run that begins which was folded."""
        begin_ns = self._facts.get("begin_ns")
        if not isinstance(begin_ns, int) or self.ledger.begin_ns is None:
            return 0.0
        return (self.ledger.begin_ns - begin_ns) / NS

    def _cut_off(self) -> str:
        if not self._reader.is_pruned:
            return ""
        return f"The recording was kept as a ring: it begins {self._late_s:.0f} s after the attach."


def replayed(
    path: Path, usd_per_gb_hour: float | None = None, *judges: Judge, window: Window | None = None
) -> tuple[Ledger, Run]:
    """Fold a recording; the same as its run came to, at its price of memory or at another.

    Of a window only what happened in it counts, with what was open and held when it began.
    """
    with RecordingReader(path) as reader:
        replay = Replay(reader, usd_per_gb_hour, *judges)
        for batch in batches(reader, window or Window()):
            replay.fold(batch)
        replay.verdicts.settle(replay.ledger)
        return replay.ledger, replay.run()


def played(
    path: Path, usd_per_gb_hour: float | None = None, *judges: Judge
) -> Iterator[tuple[int, Ledger, Run]]:
    """Yield what was known at every look at /proc, and when that was."""
    with RecordingReader(path) as reader:
        replay = Replay(reader, usd_per_gb_hour, *judges)
        for batch in batches(reader, Window()):
            replay.fold(batch)
            if len(batch.samples):
                yield batch.end_ns, replay.ledger, replay.run()
        replay.verdicts.settle(replay.ledger)
        yield replay.ledger.now_ns, replay.ledger, replay.run()


def batches(reader: RecordingReader, window: Window) -> Iterator[Batch]:
    """Yield the batches of a window; the first says how things stood when it began."""
    begin_ns, end_ns = bounds(reader, window)
    before = None if window.begin_s is None else Ledger(tree=bool(reader.facts.get("tree")))
    while (batch := reader.poll()) is not None:
        if end_ns is not None and batch.end_ns > end_ns:
            return
        if before is not None and batch.end_ns > begin_ns:
            if before.begin_ns is not None:
                yield opening(before)
            before = None
        if before is not None:
            before.fold(batch)
        else:
            yield batch


def bounds(reader: RecordingReader, window: Window) -> tuple[int, int | None]:
    """Return begin and end of a window in the time of the batches, as far as the recording reaches."""
    first_ns, last_ns = reader.span()

    def instant(seconds: float) -> int:
        return int(seconds * NS) + (last_ns if seconds < 0 else first_ns)

    begin_ns = first_ns if window.begin_s is None else instant(window.begin_s)
    end_ns = None if window.end_s is None else instant(window.end_s)
    if begin_ns >= (last_ns if end_ns is None else end_ns) and window != Window():
        length_s = (last_ns - first_ns) / NS
        raise UsageError(f"--window has nothing in it: the recording is {length_s:.0f} s long")
    return max(begin_ns, first_ns), None if end_ns is None else min(end_ns, last_ns)


_UNKNOWN: dict[str, Any] = {
    "target": {},
    "created_at": "",
    "tier": 0,
    "tree": False,
    "ended": None,
    "overhead": {},
    "invisible": [],
}
"""What stands for facts that are damaged."""


def _whole(reader: RecordingReader) -> dict[str, Any]:
    """Return the facts of a run; where the file is damaged, as much as is left of them."""
    facts = dict(reader.facts)
    if reader.damage.count:
        known = {name: value for name, value in facts.items() if value is not None or name == "ended"}
        facts = _UNKNOWN | {"pid": reader.first_pid()} | known
    return facts


def _run_of(reader: RecordingReader, facts: dict[str, Any]) -> Run:
    try:
        return run_of(facts, Verdict())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableRecording(f"{reader.path}: the facts of the run are damaged ({error!r})") from error


def _later(created_at: str, seconds: float) -> str:
    try:
        moment = datetime.fromisoformat(created_at) + timedelta(seconds=round(seconds))
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return created_at


def _price(facts: dict[str, Any]) -> float:
    price = facts.get("usd_per_gb_hour")
    return float(price) if isinstance(price, int | float) else USD_PER_GB_HOUR


def _normal(reader: RecordingReader) -> Normal:
    try:
        return recorded_normal(reader.facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableRecording(
            f"{reader.path}: what the run had learned is damaged ({error!r})"
        ) from error
