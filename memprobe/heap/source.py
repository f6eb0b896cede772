"""The source of tier 1: looks at the heap now and then, and the lengths of collections every second.

A child does the reading (looker/reader.py): its memory goes back, it may hang, and the run never waits
for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from memprobe.heap.looker.pace import NS, Pace
from memprobe.heap.looker.reader import Reader
from memprobe.target.companion import Companion, Link, Message
from memprobe.target.killable import BLOCKED_LIMIT_S
from memprobe.vocab import TargetId
from memprobe.vocab.batch import Batch
from memprobe.vocab.costs import SourceCosts
from memprobe.vocab.knobs import Knob
from memprobe.vocab.rows import LOOK, NOT_MEASURED, POPULATION, Rows, no_rows
from memprobe.vocab.subject import Seen, Subject
from memprobe.vocab.subject_lists import subject_from_list

FIRST_PAUSE_NS, LONGEST_PAUSE_NS = NS, 600 * NS
"""A process that cannot be looked at is let alone for so long, then twice as long each time."""

HANGS = (
    "a read of its memory does not return (a userfaultfd handler or a hung file system holds it); "
    "it is tried again now and then"
)
DIED = "the process that reads it ended; it is started again"

NUMBERS_APART = 1 << 32
"""Each child numbers from another such place on, so that numbers are never used twice."""


@dataclass(slots=True)
class _Seen:
    """What one poll has come to."""

    populations: list[Rows] = field(default_factory=list)
    looks: list[Rows] = field(default_factory=list)
    subjects: dict[int, Subject] = field(default_factory=dict)


@dataclass(slots=True)
class _Trouble:
    """Why a process is not looked at."""

    why: str
    times: int = 0


class HeapSource:
    """What may pile up in the heaps of some processes."""

    name = "heap"
    tier = 1

    def __init__(self, target: TargetId) -> None:
        """Prepare to look at the heap of a process; `follow` adds others."""
        self._main = target
        self._followed = frozenset({target})
        self._pace = Pace()
        self._companion: Companion | None = None
        self._children = 0
        self._leaving: list[Companion] = []
        """Children that were killed and are not collected yet."""
        self._under_way: TargetId | None = None
        self._begun_cpu_ns = 0
        self._alive: dict[int, set[int]] = {}
        """Numbers of the subjects of each process."""
        self._troubles: dict[TargetId, _Trouble] = {}
        self._remarks: dict[int, tuple[str, ...]] = {}
        self._helper_bytes = 0
        self._since_ns = 0

    def start(self) -> None:
        """Start the child; the first look begins at once."""
        self._since_ns = time.monotonic_ns()
        self._start_child()
        self._pace.follow(self._followed, self._since_ns)
        self._tell_next(self._since_ns)

    def follow(self, targets: Iterable[TargetId]) -> None:
        """Say which processes there are now, beside the one that the run is about."""
        followed = frozenset({self._main, *targets})
        for gone in self._followed - followed:
            self._tell({"leave": list(_plain(gone))})
            self._troubles.pop(gone, None)
        self._followed = followed

    def poll(self) -> Batch | None:
        """Return what the child has said since the last call, and tell it what to look at next."""
        now_ns, seen = time.monotonic_ns(), _Seen()
        self._supervise(now_ns, seen)
        self._pace.follow(self._followed, now_ns)
        pids = {target.pid for target in self._followed}
        for pid in [pid for pid in self._alive if pid not in pids]:
            self._let_die(pid, now_ns, seen)
        self._tell_next(now_ns)
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
        """End the child. May be called twice."""
        if self._companion is not None:
            self._retire(self._companion)
            self._companion = None
        deadline = time.monotonic() + 1.0
        while not self._collected() and time.monotonic() < deadline:
            time.sleep(0.001)

    # What it costs ----------------------------------------------------------------------------------

    def costs(self) -> SourceCosts:
        """What the child costs."""
        children = [*self._leaving, *([self._companion] if self._companion else [])]
        return SourceCosts(
            helper_cpu_ns=sum(child.cpu_ns for child in children),
            helper_bytes=self._helper_bytes,
            ahead_ns=self._pace.ahead_ns(time.monotonic_ns()) + self._spent_ns(),
        )

    @property
    def knobs(self) -> frozenset[Knob]:
        """What the governor can turn down: how far looks are apart."""
        return frozenset({Knob.SNAPSHOTS})

    def turn(self, knob: Knob, one_in: int) -> None:
        """Look one in `one_in` times as often."""
        if knob == Knob.SNAPSHOTS:
            self._pace.slower(max(one_in, 1), time.monotonic_ns())

    # The child --------------------------------------------------------------------------------------

    def _start_child(self) -> None:
        self._children += 1
        first = self._children * NUMBERS_APART

        def work(link: Link) -> None:
            Reader(link, first).run()

        self._companion = Companion(work)

    def _supervise(self, now_ns: int, seen: _Seen) -> None:
        """Hear the child; if it hangs or has ended, start another one."""
        self._collected()
        child = self._companion
        if child is None:
            return
        for message in child.messages():
            self._hear(message, now_ns, seen)
        self._helper_bytes = child.private_bytes() or 0
        hangs = child.silence() >= BLOCKED_LIMIT_S
        if hangs or child.has_ended:
            self._retire(child)
            self._lost(HANGS if hangs else DIED, now_ns, seen)
            self._start_child()

    def _lost(self, why: str, now_ns: int, seen: _Seen) -> None:
        """What the child knew is lost; where it was, it is not sent again at once."""
        for pid in list(self._alive):
            self._let_die(pid, now_ns, seen)
        self._pace.anew(now_ns)
        if self._under_way is not None:
            self._fail(self._under_way, why, now_ns)

    def _retire(self, child: Companion) -> None:
        child.end()
        self._leaving.append(child)

    def _collected(self) -> bool:
        """Whether no child that was killed is left."""
        self._leaving = [child for child in self._leaving if not child.is_collected()]
        return not self._leaving

    def _tell(self, command: dict[str, object]) -> None:
        if self._companion is not None:
            self._companion.tell(command)

    def _tell_next(self, now_ns: int) -> None:
        """Have it look at the process whose turn it is."""
        target = None if self._under_way else self._pace.next(now_ns)
        if target is not None:
            self._under_way = target
            self._pace.begun(target, now_ns)
            self._begun_cpu_ns = self._companion.cpu_ns if self._companion else 0
            self._tell({"look": list(_plain(target))})

    # What it says -----------------------------------------------------------------------------------

    def _hear(self, message: Message, now_ns: int, seen: _Seen) -> None:
        match message.text:
            case {"lengths": int(pid)}:
                self._take_rows(pid, np.frombuffer(message.data, POPULATION), seen)
            case {"looked": int(pid), "subjects": subjects, "remarks": remarks}:
                look = np.frombuffer(message.data[: LOOK.itemsize], LOOK)
                seen.looks.append(look)
                seen.subjects |= {number: subject_from_list(fields) for number, *fields in subjects}
                self._take_rows(pid, np.frombuffer(message.data[LOOK.itemsize :], POPULATION), seen)
                self._remarks[pid] = tuple(remarks)
                self._done(now_ns)
            case {"renewed": int(pid)}:
                self._let_die(pid, now_ns, seen)
                self._pace.anew(now_ns, pid)
                if self._under_way is not None and self._under_way.pid == pid:
                    self._under_way = None
            case {"failed": int(), "why": str(why)} if self._under_way is not None:
                self._fail(self._under_way, why, now_ns)

    def _take_rows(self, pid: int, rows: Rows, seen: _Seen) -> None:
        seen.populations.append(rows)
        died = rows["flags"] & Seen.DIED != 0
        alive = self._alive.setdefault(pid, set())
        alive |= set(rows["subject_id"][~died].tolist())
        alive -= set(rows["subject_id"][died].tolist())

    def _done(self, now_ns: int) -> None:
        if self._under_way is not None:
            self._troubles.pop(self._under_way, None)
            self._pace.done(self._under_way, self._spent_ns(), now_ns)
            self._under_way = None

    def _spent_ns(self) -> int:
        """CPU time of the look that is under way."""
        if self._under_way is None or self._companion is None:
            return 0
        return self._companion.cpu_ns - self._begun_cpu_ns

    def _fail(self, target: TargetId, why: str, now_ns: int) -> None:
        trouble = self._troubles.setdefault(target, _Trouble(why))
        trouble.why, trouble.times = why, trouble.times + 1
        pause_ns = min(FIRST_PAUSE_NS << trouble.times, LONGEST_PAUSE_NS)
        self._pace.failed(target, pause_ns, now_ns)
        self._under_way = None

    def _let_die(self, pid: int, now_ns: int, seen: _Seen) -> None:
        """All subjects of a process have died."""
        numbers = sorted(self._alive.pop(pid, ()))
        rows = np.zeros(len(numbers), POPULATION)
        rows["time_ns"], rows["pid"], rows["flags"] = now_ns, pid, Seen.DIED
        rows["subject_id"] = numbers
        for name in ("count", "bytes", "oldest_ns"):
            rows[name] = NOT_MEASURED
        seen.populations.append(rows)
        self._remarks.pop(pid, None)

    def _invisible(self) -> Iterator[str]:
        for target, trouble in self._troubles.items():
            if target in self._followed:
                yield f"The heap of process {target.pid}: {trouble.why}."
        yield from dict.fromkeys(chain.from_iterable(self._remarks.values()))


def _plain(target: TargetId) -> tuple[int, int]:
    return target.pid, target.start_time_ticks
