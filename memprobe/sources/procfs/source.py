"""The source that needs nothing but /proc: numbers at every poll, pictures of descriptors now and then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from memprobe.abi import MAX_TARGETS, ProcessHow
from memprobe.errors import MemprobeError, TargetGone, TargetReplaced
from memprobe.sources.procfs.children import open_child
from memprobe.sources.procfs.followed import NS, Followed
from memprobe.sources.procfs.networks import Networks
from memprobe.sources.procfs.options import ProcfsOptions
from memprobe.sources.procfs.usage import Usage
from memprobe.target.cpython.python import Python
from memprobe.target.proc.process import Process, open_process
from memprobe.vocab import TargetId
from memprobe.vocab.batch import Batch, Handles
from memprobe.vocab.costs import SourceCosts
from memprobe.vocab.knobs import NOTHING, Knob
from memprobe.vocab.rows import PROCESS, REGION, SAMPLE, Rows, no_rows

POLLED = (
    "Handles are polled from /proc: those that lived shorter than from one picture to the next were not "
    "seen, and where they were opened is not known."
)
REDUCED = "The kernel or a missing right hides the queues and peers of UNIX sockets."


@dataclass(slots=True)
class _Seen:
    """What one poll has seen so far."""

    samples: list[Rows] = field(default_factory=list)
    regions: list[Rows] = field(default_factory=list)
    processes: list[Rows] = field(default_factory=list)
    handles: list[Handles] = field(default_factory=list)
    losses: dict[str, int] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    reduced: bool = False

    def lose(self, name: str, count: int) -> None:
        if count:
            self.losses[name] = self.losses.get(name, 0) + count

    def note(self, how: ProcessHow, pid: int, *, files: int = 0, other: int = 0) -> None:
        """Write down what became of a process; without probes its pid stands for its table of descriptors."""
        row = np.zeros(1, PROCESS)
        row["time_ns"], row["how"], row["pid"], row["tid"] = time.monotonic_ns(), how, pid, pid
        row["files"], row["from_files"], row["other"] = files or pid, pid, other
        self.processes.append(row)


class ProcfsSource:
    """Polls /proc; tier 0, and with a Python that can be read the numbers of its collector, too.

    The process and the Python belong to the caller. A process that calls exec is followed on; what was known
    of its Python is forgotten, until `set_python` brings news.
    """

    name = "procfs"

    def __init__(
        self, process: Process, python: Python | None = None, options: ProcfsOptions | None = None
    ) -> None:
        self._options = self._paced = options or ProcfsOptions()
        self.picture_cost_ns = 0
        """CPU time that pictures have cost so far."""
        self._networks = Networks()
        self._usage = Usage()
        self._followed = {process.pid: Followed(process, python, self._networks, owned=False)}
        self._since_ns = 0

    @property
    def tier(self) -> int:
        """1 if some process's collector is read, else 0."""
        return int(any(one.python is not None for one in self._followed.values()))

    @property
    def pids(self) -> frozenset[int]:
        """The processes that are followed now."""
        return frozenset(self._followed)

    @property
    def targets(self) -> frozenset[TargetId]:
        """The same, each with its start time."""
        return frozenset(one.process.id for one in self._followed.values())

    def start(self) -> None:
        """Begin to observe; raise a leaf of TargetGone if there is nothing to observe."""
        self._since_ns = time.monotonic_ns()
        for one in list(self._followed.values()):
            self._begin(one)
        if self._options.tree:
            # Children that are there already were not born before our eyes.
            for _ in self._adopted(_Seen()):
                pass

    def _begin(self, one: Followed) -> None:
        """See that a process is there; since it was opened it may have called exec."""
        try:
            one.process.check()
        except TargetReplaced:
            if (followed := self._held_again(one)) is None:
                raise
            self._followed[one.process.pid] = followed

    def costs(self) -> SourceCosts:
        """What the followed processes have used so far; polling costs them nothing."""
        return self._usage.read([one.process for one in self._followed.values()])

    @property
    def knobs(self) -> frozenset[Knob]:
        """What the governor can turn down: how far pictures and rare numbers are apart."""
        return frozenset({Knob.SNAPSHOTS})

    def turn(self, knob: Knob, one_in: int) -> None:
        """Take pictures and rare numbers one in `one_in` times as often; NOTHING: no pictures."""
        if knob == Knob.SNAPSHOTS:
            self._paced = self._options.slower(one_in or 1)
            self._paced = replace(self._paced, pictures=self._options.pictures and one_in != NOTHING)

    def set_python(self, pid: int, python: Python | None) -> None:
        """Say how the Python of a followed process is read: of a child, or after an exec."""
        if pid in self._followed:
            self._followed[pid].python = python

    def request_pictures(self) -> None:
        """Have the next poll take all pictures of every process, whenever the last ones were."""
        for one in self._followed.values():
            one.picture_due.at_ns = one.region_due.at_ns = 0

    def poll(self) -> Batch | None:
        """Look at every followed process; None once there is none left."""
        if not self._followed:
            return None
        seen = _Seen()
        for one in list(self._followed.values()):
            self._sample(one, seen)
        if self._options.tree:
            for parent, child in self._adopted(seen):
                seen.note(ProcessHow.FORK, parent, files=child.process.pid, other=child.process.pid)
                self._sample(child, seen)
        if self._paced.pictures:
            self._take_pictures(seen)
        begin_ns, self._since_ns = self._since_ns, time.monotonic_ns()
        return self._batch(begin_ns, seen)

    def close(self) -> None:
        """Let go of the children; may be called twice."""
        for one in self._followed.values():
            one.close()
        self._followed.clear()

    def _sample(self, one: Followed, seen: _Seen) -> None:
        try:
            one.process.check()
            seen.samples.append(one.sample(self._paced))
            seen.regions.append(one.regions(self._paced))
        except TargetGone as gone:
            self._lost(one, gone, seen)
        except OSError as error:
            seen.unreadable.append(f"process {one.process.pid}: a file in /proc is not readable ({error})")

    def _take_pictures(self, seen: _Seen) -> None:
        """Take the pictures that are due, the longest overdue first, as long as there is time."""
        now_ns = time.monotonic_ns()
        end_ns = now_ns + int(self._options.picture_limit_s * NS)
        due = [one for one in self._followed.values() if one.picture_due.at_ns <= now_ns]
        for one in sorted(due, key=lambda one: one.picture_due.at_ns):
            left_ns = end_ns - time.monotonic_ns()
            if left_ns <= 0:
                break
            self._take_picture(one, left_ns, seen)
        networks = self._networks.forget()
        seen.lose("socket_table_cut", sum(network.tables_cut for network in networks))
        seen.reduced = any(network.reduced for network in networks)

    def _take_picture(self, one: Followed, limit_ns: int, seen: _Seen) -> None:
        try:
            picture = one.picture(self._paced, limit_ns)
            one.process.check()
        except TargetGone as gone:
            self._lost(one, gone, seen)
            return
        except OSError as error:
            seen.unreadable.append(f"open handles of process {one.process.pid}: not readable ({error})")
            return
        if picture is not None:
            seen.handles.append(picture.handles)
            seen.lose("picture_cut", picture.unread)
            self.picture_cost_ns += picture.cost_ns

    def _lost(self, one: Followed, gone: TargetGone, seen: _Seen) -> None:
        """A process has ended, or runs another program now."""
        pid, followed = one.process.pid, None
        if isinstance(gone, TargetReplaced):
            followed = self._held_again(one)
        one.close()
        del self._followed[pid]
        if followed is None:
            seen.note(ProcessHow.EXIT, pid)
            return
        self._followed[pid] = followed
        seen.note(ProcessHow.EXEC, pid)

    def _held_again(self, one: Followed) -> Followed | None:
        """Hold on to the same process with its new program."""
        try:
            process = open_process(one.process.pid, start_time_ticks=one.process.id.start_time_ticks)
        except MemprobeError:
            return None
        return Followed(process, None, self._networks, owned=True)

    def _adopted(self, seen: _Seen) -> Iterator[tuple[int, Followed]]:
        """Find children that are not followed yet, and theirs; yield each with its parent."""
        parents = list(self._followed.values())
        while parents:
            parent = parents.pop()
            for pid in sorted(self._children(parent) - self._followed.keys()):
                if len(self._followed) >= MAX_TARGETS:
                    seen.lose("targets_full", 1)
                    continue
                process = open_child(pid, parent.process.pid)
                if process is not None:
                    child = Followed(process, None, self._networks, owned=True)
                    self._followed[pid] = child
                    parents.append(child)
                    yield parent.process.pid, child

    def _children(self, parent: Followed) -> set[int]:
        try:
            return parent.children.read()
        except (TargetGone, OSError):
            return set()

    def _batch(self, begin_ns: int, seen: _Seen) -> Batch:
        processes = seen.processes if self._options.reports_processes else []
        return Batch(
            source=self.name,
            begin_ns=begin_ns,
            end_ns=self._since_ns,
            processes=np.concatenate([no_rows(PROCESS), *processes]),
            handles=tuple(seen.handles),
            samples=np.concatenate([no_rows(SAMPLE), *seen.samples]),
            regions=np.concatenate([no_rows(REGION), *seen.regions]),
            losses=seen.losses,
            invisible=tuple(self._invisible(seen)),
        )

    def _invisible(self, seen: _Seen) -> Iterator[str]:
        if self._options.reports_processes:
            yield POLLED
        if seen.reduced:
            yield REDUCED
        yield from seen.unreadable
        yield from (one.denied for one in self._followed.values() if one.denied)
