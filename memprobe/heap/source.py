"""The source of tier 1: looks at the heap now and then, and the lengths of collections every second.

A child is forked for each look (looker/look.py): all its memory goes back, it may hang, and the run never
waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from memprobe.errors import MemprobeError, NotPython, TargetGone, TargetReplaced
from memprobe.heap.looker.followed import Followed
from memprobe.heap.looker.lengths import Size
from memprobe.heap.looker.pace import NS, Pace
from memprobe.target.errand import Errand
from memprobe.target.killable import Outcome, ReaderDied
from memprobe.target.patience import Patience
from memprobe.target.proc.process import open_process
from memprobe.vocab import TargetId
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import SourceCosts
from memprobe.vocab.knobs import Knob
from memprobe.vocab.rows import LOOK, POPULATION, Rows, no_rows
from memprobe.vocab.subject import Subject

FIRST_PAUSE_NS, LONGEST_PAUSE_NS = 2 * NS, 600 * NS
"""A process that cannot be looked at is let alone for so long, then twice as long each time."""

MOST_KEYED = 128
"""Collections whose keys are remembered, if they are sampled."""

MOST_TOLD = 5
"""Processes of which it is said one by one why their heap is not seen."""


@dataclass(slots=True)
class _Seen:
    """What one poll has come to."""

    populations: list[Rows] = field(default_factory=list)
    looks: list[Rows] = field(default_factory=list)
    subjects: dict[int, Subject] = field(default_factory=dict)


@dataclass(slots=True)
class _Trouble:
    """Why a process is not looked at."""

    why: str = ""
    times: int = 0


class HeapSource:
    """What may pile up in the heaps of some processes."""

    name = "heap"
    tier = 1

    def __init__(self, target: TargetId, pace: Pace | None = None, *, with_keys: bool = False) -> None:
        """Prepare to look at the heap of a process; `follow` adds others."""
        self.keys: dict[int, list[str]] = {}
        """The newest keys of dictionaries that grow, by subject: sampled only `with_keys`."""

        self._with_keys = with_keys
        self._main = target
        self._wanted = frozenset({target})
        self._followed: dict[TargetId, Followed] = {}
        self._troubles: dict[TargetId, _Trouble] = {}
        self._pace = pace or Pace()
        self._patience = Patience()
        self._numbers = count(1)
        self._errand: Errand | None = None
        self._under_way: Followed | None = None
        """Whose heap the errand looks at."""

        self._leaving: list[Errand] = []
        """Those that were killed and are not collected yet."""

        self._since_ns = 0

    def start(self) -> None:
        """Begin; the first look begins at once."""
        self._since_ns = time.monotonic_ns()
        self._hold(self._since_ns, _Seen())
        self._look_at_next(self._since_ns)

    def set_main(self, target: TargetId) -> None:
        """Say which process the run is about from now on."""
        self._main = target

    def follow(self, targets: Iterable[TargetId]) -> None:
        """Say which processes there are now, beside the one that the run is about."""
        self._wanted = frozenset({self._main, *targets})

    @property
    def followed(self) -> int:
        """How many processes there are to look at."""
        return len(self._followed)

    def look_now(self) -> None:
        """Have the next look begin at once: there may be no later one."""
        self._pace.hurry(time.monotonic_ns())

    def poll(self) -> Batch | None:
        """Return what was seen since the last call, and look at what is to be looked at next."""
        now_ns, seen = time.monotonic_ns(), _Seen()
        self._hold(now_ns, seen)
        self._hear(now_ns, seen)
        for one in list(self._followed.values()):
            self._read_lengths(one, seen)
        self._look_at_next(now_ns)
        begin_ns, self._since_ns = self._since_ns, now_ns
        return Batch(
            source=self.name,
            begin_ns=begin_ns,
            end_ns=now_ns,
            populations=np.concatenate([no_rows(POPULATION), *seen.populations]),
            looks=np.concatenate([no_rows(LOOK), *seen.looks]),
            subjects=seen.subjects,
            invisible=tuple(self._invisible()),
        )

    def close(self) -> None:
        """End what is under way, and let go of all. May be called twice."""
        self._retire()
        self._patience.close()
        for one in self._followed.values():
            one.close()
        self._followed.clear()
        deadline = time.monotonic() + 1.0
        while not self._collected() and time.monotonic() < deadline:
            time.sleep(0.001)

    def size_of(self, pid: int, subject_id: int) -> Size | None:
        """Read how many entries a collection has now; None if that cannot be read, or it is not there."""
        one = next((one for one in self._followed.values() if one.target.pid == pid), None)
        try:
            return None if one is None else one.size_of(subject_id)
        except (TargetGone, OSError):
            return None

    # What it costs ----------------------------------------------------------------------------------

    def costs(self) -> SourceCosts:
        """What the children cost that are not collected yet."""
        spent_ns = self._errand.cpu_ns if self._errand else 0
        return SourceCosts(
            helper_cpu_ns=spent_ns + sum(one.cpu_ns for one in self._leaving),
            helper_bytes=self._errand.private_bytes() if self._errand else 0,
            ahead_ns=self._pace.ahead_ns(time.monotonic_ns()) + spent_ns,
        )

    @property
    def knobs(self) -> frozenset[Knob]:
        """What the governor can turn down: how far looks are apart."""
        return frozenset({Knob.SNAPSHOTS})

    def turn(self, knob: Knob, one_in: int) -> None:
        """Look one in `one_in` times as often."""
        if knob == Knob.SNAPSHOTS:
            self._pace.slower(max(one_in, 1), time.monotonic_ns())

    # Who is followed --------------------------------------------------------------------------------

    def _hold(self, now_ns: int, seen: _Seen) -> None:
        """Take hold of new processes, let go of those that are gone, and of programs that are no more."""
        for target in self._followed.keys() - self._wanted:
            self._let_go(self._followed[target], now_ns, seen)
        for one in list(self._followed.values()):
            self._check(one, now_ns, seen)
        for target in self._wanted - self._followed.keys():
            try:
                process = open_process(target.pid, start_time_ticks=target.start_time_ticks)
            except MemprobeError:
                continue  # it has ended; who follows processes will say so
            self._followed[target] = Followed(process, self._numbers, self._patience)
        self._pace.follow(self._followed, now_ns)

    def _check(self, one: Followed, now_ns: int, seen: _Seen) -> None:
        """Let go of a process that runs another program now; what has ended keeps what was known of it."""
        try:
            one.process.check()
        except TargetReplaced:
            self._let_go(one, now_ns, seen)
        except TargetGone:
            pass

    def _let_go(self, one: Followed, now_ns: int, seen: _Seen) -> None:
        if one is self._under_way:
            self._retire()
        seen.populations.append(one.end(now_ns))
        self._pace.forget(one.target)
        self._troubles.pop(one.target, None)
        del self._followed[one.target]

    def _read_lengths(self, one: Followed, seen: _Seen) -> None:
        try:
            seen.populations.append(one.read_lengths(time.monotonic_ns()))
        except (TargetGone, OSError):
            pass  # the next check says what became of it

    # Looks ------------------------------------------------------------------------------------------

    def _look_at_next(self, now_ns: int) -> None:
        """Look at the process whose turn it is."""
        target = None if self._errand else self._pace.next(now_ns)
        if target is not None:
            self._pace.begun(target, now_ns)
            one = self._followed[target]
            try:
                self._errand = Errand(one.errand(with_keys=self._with_keys))
            except OSError as error:  # no memory, or no room for one more process
                died = ReaderDied(f"no process could be started that looks at it: {error.strerror}")
                self._fail(target, Outcome(error=died), now_ns)
                return
            self._under_way = one

    def _hear(self, now_ns: int, seen: _Seen) -> None:
        """Take in what the look under way has come to, if it is over."""
        self._collected()
        errand, one = self._errand, self._under_way
        outcome = errand.outcome() if errand else None
        if errand is None or one is None or outcome is None:
            return
        self._retire()
        self._pace.done(one.target, errand.cpu_ns, now_ns)
        if outcome.error is not None:
            self._fail(one.target, outcome, now_ns)
            return
        self._troubles.pop(one.target, None)
        looked = one.take(outcome.result)
        seen.looks.append(looked.look)
        seen.populations.append(looked.populations)
        seen.subjects |= looked.subjects
        older = [item for item in self.keys.items() if item[0] not in looked.keys]
        self.keys = dict([*older, *looked.keys.items()][-MOST_KEYED:])

    def _fail(self, target: TargetId, outcome: Outcome, now_ns: int) -> None:
        """Try it again later, and say why; what became of a process that is gone others say."""
        trouble = self._troubles.setdefault(target, _Trouble())
        error = outcome.error
        if isinstance(error, MemprobeError):
            # Of a shell or a compiler beside the target there is nothing to see.
            is_no_news = isinstance(error, NotPython) and target != self._main
            trouble.why = "" if isinstance(error, TargetGone) or is_no_news else error.line
        elif isinstance(error, ReaderDied):
            trouble.why = " ".join([str(error), *getattr(error, "__notes__", ())])
        pause_ns = min(FIRST_PAUSE_NS << min(trouble.times, 10), LONGEST_PAUSE_NS)
        trouble.times += 1
        self._pace.failed(target, pause_ns, now_ns)

    def _retire(self) -> None:
        """End what is under way, without waiting."""
        if self._errand is not None:
            self._errand.end()
            self._leaving.append(self._errand)
            self._collected()
        self._errand = self._under_way = None

    def _collected(self) -> bool:
        """Whether no child that was ended is left."""
        self._leaving = [one for one in self._leaving if not one.is_collected()]
        return not self._leaving

    def _invisible(self) -> Iterator[str]:
        told = [(target.pid, one.why) for target, one in self._troubles.items() if one.why]
        yield from (f"The heap of process {pid}: {why}." for pid, why in told[:MOST_TOLD])
        if len(told) > MOST_TOLD:
            yield f"The heaps of {len(told) - MOST_TOLD} more processes."
        yield from dict.fromkeys(remark for one in self._followed.values() for remark in one.remarks)
