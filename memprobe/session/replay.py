"""A recording folded as its run was: the same ledger, the same findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from memprobe.config import Config
from memprobe.config.plain import restored
from memprobe.detectors.verdicts import Verdicts
from memprobe.errors import MemprobeError, UnreadableRecording, UsageError
from memprobe.experience import Experience, recorded_normal
from memprobe.ledger import Ledger
from memprobe.ledger.opening import opening
from memprobe.models.learning.normal import Normal
from memprobe.recording.reader import RecordingReader
from memprobe.session.facts import check_facts
from memprobe.session.folding import Judge, fold, run_of
from memprobe.session.known import advised
from memprobe.session.states import last_standing
from memprobe.views.history import History
from memprobe.views.html.contents import contents
from memprobe.views.report import Run, document
from memprobe.views.story import Story
from memprobe.vocab.batch import Batch
from memprobe.vocab.finding import Verdict

Folded = TypeVar("Folded")

NS = 1_000_000_000
WINDOW_VERDICTS = 16
"""A window is judged so often: no run has come to what is said of it, and a verdict takes 10 to 30 ms."""

ALWAYS_NS = (1 << 63) - 1

SHOWING = ("report.fail_on", "report.min_confidence", "report.source", "report.full")
"""Settings by which nothing is judged."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a recording, in seconds from its start; negative ones count from its end."""

    begin_s: float | None = None
    end_s: float | None = None


class Replay:
    """A recording under way: what its run had come to at the instant that is reached."""

    def __init__(
        self,
        reader: RecordingReader,
        said: Config | None,
        *judges: Judge,
        apart_ns: int = 0,
        is_part: bool = False,
    ) -> None:
        """What is judged is judged as often as its run did, or so far `apart`; a part has its own begin."""
        self._reader, self._judges, self._is_part = reader, judges, is_part
        self._facts = _whole(reader)
        self._run, self._root = _run_of(reader, self._facts)
        self.ledger = Ledger(tree=self._run.tree)
        recorded = _config(reader).having({"run.tree": self._run.tree})
        self._config = recorded.over(said)
        self._judges_otherwise = (
            self._config.having({key: recorded.value(key) for key in SHOWING}) != recorded
        )
        normal = _normal(reader)
        self.experience = Experience(self._root, tree=self._run.tree, normal=normal)
        self.verdicts = Verdicts(self._root, self._config, normal=normal, apart_ns=apart_ns)
        self.verdicts.main = self._run.pid

    def take_up(self, until_ns: int) -> None:
        """Begin with what the run had come to, as late until an instant as is stored; the history, too.

        With other settings than the recorded ones everything is judged anew: that needs all batches.
        """
        if self._judges_otherwise:
            return
        histories = [judge for judge in self._judges if isinstance(judge, History)]
        standing = last_standing(self._reader, until_ns, self._config, with_history=bool(histories))
        if standing is None:
            return
        self.ledger, self.experience, self.verdicts = standing.ledger, standing.experience, standing.verdicts
        self.verdicts.main = self._run.pid
        for history in histories:
            if standing.history is not None:
                history.take_up(standing.history)

    def fold(self, batch: Batch) -> None:
        """Take in what comes next."""
        fold(self.ledger, batch, self._root, self.experience, self.verdicts, *self._judges)

    def run(self) -> Run:
        """What is known of the run beside the ledger."""
        told = (*self._run.invisible, *filter(None, (self._reader.damage.sentence(), self._cut_off())))
        start = self._run.created_at
        if self._is_part or self._reader.is_pruned or self._reader.damage.count:
            start = _later(start, self._late_s)
        verdict = advised(self.verdicts.verdict, self._facts)
        return replace(self._run, verdict=verdict, invisible=told, created_at=start)

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
    path: Path, said: Config | None = None, *judges: Judge, window: Window | None = None
) -> tuple[Ledger, Run]:
    """Fold a recording; the same as its run came to by its settings, unless other ones are `said`.

    Of a window only what happened in it counts, with what was open and held when it began.
    """
    return read(path, lambda reader: _folded(reader, said, judges, window or Window()))


def read(path: Path, fold: Callable[[RecordingReader], Folded]) -> Folded:
    """Fold a recording, with what its run had come to; if somebody has made that up, without."""
    with RecordingReader(path) as reader:
        try:
            return fold(reader)
        except MemprobeError:
            raise
        except Exception:  # whatever a made-up state leads to: without a state it is a bug
            if not reader.has_skipped:
                raise
    with RecordingReader(path) as reader:
        reader.trusts_states = False
        return fold(reader)


def _folded(
    reader: RecordingReader, said: Config | None, judges: Sequence[Judge], window: Window
) -> tuple[Ledger, Run]:
    if not reader.trusts_states:
        _begin_anew(judges)
    begin_ns, end_ns = bounds(reader, window)
    if window.begin_s is None:
        replay = Replay(reader, said, *judges)
        replay.take_up(ALWAYS_NS if end_ns is None else end_ns)
    else:
        length_ns = (reader.span()[1] if end_ns is None else end_ns) - begin_ns
        replay = Replay(reader, said, *judges, apart_ns=length_ns // WINDOW_VERDICTS, is_part=True)
    for batch in batches(reader, window):
        replay.fold(batch)
    replay.verdicts.settle(replay.ledger)
    run = replay.run()
    if reader.has_skipped:  # a state that somebody has made up may not bear a report
        _try_out(replay.ledger, run, judges)
    return replay.ledger, run


def _begin_anew(judges: Sequence[Judge]) -> None:
    for judge in judges:
        if isinstance(judge, History):
            judge.take_up(History())


def _try_out(ledger: Ledger, run: Run, judges: Sequence[Judge]) -> None:
    report = document(ledger, run)
    for judge in judges:
        if isinstance(judge, History):
            contents(Story(report, ledger, judge))


def played(path: Path, said: Config | None = None, *judges: Judge) -> Iterator[tuple[int, Ledger, Run]]:
    """Yield what was known at every look at /proc, and when that was."""
    with RecordingReader(path) as reader:
        replay = Replay(reader, said, *judges)
        for batch in batches(reader, Window()):
            replay.fold(batch)
            if len(batch.samples):
                yield batch.end_ns, replay.ledger, replay.run()
        replay.verdicts.settle(replay.ledger)
        yield replay.ledger.now_ns, replay.ledger, replay.run()


def batches(reader: RecordingReader, window: Window) -> Iterator[Batch]:
    """Yield the batches of a window; the first says how things stood when it began."""
    begin_ns, end_ns = bounds(reader, window)
    before = None if window.begin_s is None else _before(reader, begin_ns)
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


def _before(reader: RecordingReader, begin_ns: int) -> Ledger:
    """Return the ledger of what is before a window, as far as it is stored; the reader goes on from there."""
    if not reader.skip_to_opening(begin_ns):
        standing = last_standing(reader, begin_ns, _config(reader), with_history=False)
        if standing is not None:
            return standing.ledger
    return Ledger(tree=bool(reader.facts.get("tree")))


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


def _run_of(reader: RecordingReader, facts: dict[str, Any]) -> tuple[Run, int]:
    """Return what is known of the run, and the process that it ended with."""
    try:
        run = run_of(facts, Verdict())
        check_facts(run)
        return run, int(facts.get("root", run.pid))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnreadableRecording(f"{reader.path}: the facts of the run are damaged ({error!r})") from error


def _later(created_at: str, seconds: float) -> str:
    try:
        moment = datetime.fromisoformat(created_at) + timedelta(seconds=round(seconds))
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return created_at


def _config(reader: RecordingReader) -> Config:
    """Return the settings of a run; before they were kept, the price of memory was."""
    facts = reader.facts
    price = facts.get("usd_per_gb_hour")
    before = {} if price is None else {"values": {"report.usd_per_gb_hour": price}}
    try:
        return restored(facts.get("config") or before)
    except (TypeError, ValueError, AttributeError, UsageError) as error:
        raise UnreadableRecording(f"{reader.path}: the settings of the run are damaged ({error})") from error


def _normal(reader: RecordingReader) -> Normal:
    try:
        return recorded_normal(reader.facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableRecording(
            f"{reader.path}: what the run had learned is damaged ({error!r})"
        ) from error
