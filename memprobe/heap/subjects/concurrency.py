"""Tasks, timers, the queues of executors, and threads: what a program has under way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from memprobe.heap.answers import Answers
from memprobe.heap.dominators import NO_NODE
from memprobe.heap.subjects.counted import Counted
from memprobe.heap.subjects.hubs import Hubs
from memprobe.heap.subjects.kinds import Kinds
from memprobe.heap.subjects.words import holder_text
from memprobe.heap.tasks.executors import RawExecutor
from memprobe.heap.tasks.look import InterpreterLook, Look, Looker, SeenTask
from memprobe.heap.tasks.task_objects import PENDING
from memprobe.target.cpython.python import PythonThread
from memprobe.vocab.stack import Frame
from memprobe.vocab.subject import Seen, Subject, What

MOST_GROUPS = 40
"""Groups of one sort that are told, those of most members first."""

MOST_READ = 4_000
"""Futures whose state is read; of more, these speak for all."""

LEAST_ENDED = 16

_FUTURES = {"_asyncio.Future", "asyncio.futures.Future", "asyncio.futures._PyFuture"}
_THREADING = ("threading.py", "<frozen threading>")
_NUMBER = re.compile(r"\d+")


class Concurrency:
    """Tells what one target has under way."""

    def __init__(self, answers: Answers, kinds: Kinds) -> None:
        self._answers = answers
        self._kinds = kinds
        self._looker = Looker(answers.heap.python)

    def tell(self) -> Iterator[Counted]:
        """Yield tasks, timers, queues and threads."""
        look = self._looker.look()
        for one in look.interpreters:
            yield from self._tasks(one)
            yield from self._timers(one)
            yield from self._queues(one)
        yield from _threads(look)
        yield from self._ended()

    def _tasks(self, one: InterpreterLook) -> Iterator[Counted]:
        """Yield the tasks that have not ended by what they were made from."""
        pending = [seen for seen in one.tasks.values() if seen.future.state == PENDING]
        names = self._looker.coroutines.names(seen.future.coroutine for seen in pending)
        groups: dict[str, list[SeenTask]] = {}
        for seen in pending:
            groups.setdefault(names.get(seen.future.coroutine) or "?", []).append(seen)
        for name, group in sorted(groups.items(), key=lambda item: -len(item[1]))[:MOST_GROUPS]:
            subject = Subject(What.TASKS, name, site=_most_common(group))
            yield Counted(subject, f"tasks:{name}", len(group), None)

    def _timers(self, one: InterpreterLook) -> Iterator[Counted]:
        """Yield the scheduled calls by callback; those of a loop beyond what is listed are left out.

        Where all are cancelled there are none, which is worth a word, too.
        """
        for loop in one.loops:
            counts = Counter(handle.callback for handle in loop.timers if not handle.cancelled)
            cancelled = sum(handle.cancelled for handle in loop.timers)
            holder = f"{self._path(loop.address)}._scheduled"
            notes = (f"{cancelled} more are cancelled and wait to be dropped",) if cancelled else ()
            for name, count in counts.most_common(MOST_GROUPS) or [("", 0)] * bool(cancelled):
                subject = Subject(What.TIMERS, name or "?", holder, notes=notes)
                yield Counted(subject, f"timers:{name}", count, None)

    def _path(self, address: int) -> str:
        path = self._answers.holders.path(address)
        return "loop" if path is None else holder_text(path, self._kinds.class_of)

    def _queues(self, one: InterpreterLook) -> Iterator[Counted]:
        """Yield what waits in the queues of executors, by what is called most."""
        totals: Counter[str] = Counter()
        for raw in one.executors:
            totals[raw.work[0][0] if raw.work else ""] += raw.queued or 0
        for name, count in totals.most_common(MOST_GROUPS):
            if name:
                yield Counted(Subject(What.QUEUE, name), f"queue:{name}", count, None)

    def _ended(self) -> Iterator[Counted]:
        """Yield the futures and tasks that have ended and are kept, if the graph has them all.

        Those that nothing holds any more are garbage, and told of as such.
        """
        if self._answers.graph.is_part:
            return
        hubs, held = Hubs(self._answers, self._kinds), self._answers.holders.holding.before != NO_NODE
        for kind in range(len(self._kinds.names)):
            if _FUTURES.isdisjoint(self._kinds.ancestors(kind)):
                continue
            nodes = np.flatnonzero((self._answers.graph.types == kind) & held)
            ended, count = self._that_have_ended(nodes)
            if count < LEAST_ENDED:
                continue
            chosen = np.zeros(len(self._answers.graph), np.bool_)
            chosen[ended] = True
            hub = hubs.of(chosen)
            holder = "" if hub is None else hub.holder
            name = self._kinds.names[kind]
            subject = Subject(What.ENDED_TASKS, name, holder, chain=() if hub is None else hub.chain)
            seen = Seen.EXACTLY if count == len(ended) else Seen.ESTIMATED
            yield Counted(subject, f"ended:{name}", count, None, seen=seen)

    def _that_have_ended(self, nodes: Sequence[int] | np.typing.NDArray[np.intp]) -> tuple[list[int], int]:
        """Return which of some futures have ended, of those that were read, and about how many of all."""
        step = max(1, -(-len(nodes) // MOST_READ))
        by_address = {int(self._answers.graph.addresses[node]): int(node) for node in nodes[::step]}
        futures = self._looker.futures.read(by_address)
        ended = [by_address[address] for address, one in futures.items() if one.state not in (None, PENDING)]
        return ended, len(ended) * step


def _threads(look: Look) -> Iterator[Counted]:
    """Yield the threads by name, without numbers, and by the function that they run."""
    groups: dict[tuple[str, str], list[PythonThread]] = {}
    for thread in look.threads:
        groups.setdefault((_NUMBER.sub("#", thread.name or thread.os_name), _target(thread)), []).append(
            thread
        )
    executors = [raw for one in look.interpreters for raw in one.executors]
    for (stem, target), group in sorted(groups.items(), key=lambda item: -len(item[1]))[:MOST_GROUPS]:
        stacks = Counter(thread.stack.frames for thread in group if thread.stack is not None)
        site = stacks.most_common(1)[0][0] if stacks else ()
        subject = Subject(
            What.THREADS,
            target or stem,
            site=site,
            limit=_limit(group, executors),
            notes=(f"named {stem!r}",),
        )
        yield Counted(subject, f"threads:{stem}:{target}", len(group), None)


def _target(thread: PythonThread) -> str:
    """Return what a thread runs: its outermost function that is not one of `threading`."""
    frames = () if thread.stack is None else thread.stack.frames
    own = [frame for frame in frames if not frame.file.endswith(_THREADING)]
    return own[-1].function if own else ""


def _limit(group: Sequence[PythonThread], executors: Sequence[RawExecutor]) -> int | None:
    """Return how many threads there can be, if they all belong to one executor that says so."""
    idents = {thread.ident for thread in group}
    owners = [raw for raw in executors if not idents.isdisjoint(raw.idents)]
    if len(owners) != 1 or not idents <= set(owners[0].idents):
        return None
    return owners[0].maximum_workers


def _most_common(group: Sequence[SeenTask]) -> tuple[Frame, ...]:
    """Return where most of some tasks wait, the innermost frame first."""
    counts = Counter(tuple(reversed(seen.chain.frames)) for seen in group)
    return counts.most_common(1)[0][0]
