"""Tasks, timers, the queues of executors, and threads: what a program has under way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from memprobe.heap.answers import Answers
from memprobe.heap.dominators import NO_NODE
from memprobe.heap.subjects.counted import Counted
from memprobe.heap.subjects.hubs import Hubs
from memprobe.heap.subjects.kinds import Kinds
from memprobe.heap.subjects.words import holder_text
from memprobe.heap.tasks.executors import RawExecutor
from memprobe.heap.tasks.look import Look, Looker, SeenTask
from memprobe.heap.tasks.loops import RawLoop
from memprobe.heap.tasks.task_objects import PENDING
from memprobe.target.cpython.python import PythonThread
from memprobe.vocab.stack import Frame
from memprobe.vocab.subject import Seen, Subject, What

MOST_GROUPS = 40
"""Groups of one sort that are told, those of most members first."""

MOST_READ = 4_000
"""Futures whose state is read; of more, these speak for all."""

LEAST_ENDED = 16

CANCELLED = ""
"""Stands for the callback of timers that were cancelled."""

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
        yield from self._tasks(seen for one in look.interpreters for seen in one.tasks.values())
        yield from self._timers([loop for one in look.interpreters for loop in one.loops])
        yield from self._queues(raw for one in look.interpreters for raw in one.executors)
        yield from _threads(look)
        yield from self._ended()

    def _tasks(self, tasks: Iterable[SeenTask]) -> Iterator[Counted]:
        """Yield the tasks that have not ended by what they were made from."""
        pending = [seen for seen in tasks if seen.future.state == PENDING]
        names = self._looker.coroutines.names(seen.future.coroutine for seen in pending)
        groups: dict[str, list[SeenTask]] = {}
        for seen in pending:
            groups.setdefault(names.get(seen.future.coroutine) or "?", []).append(seen)
        for name, group in sorted(groups.items(), key=lambda item: -len(item[1]))[:MOST_GROUPS]:
            subject = Subject(What.TASKS, name, site=_most_common(group))
            yield Counted(subject, f"tasks:{name}", len(group), None)

    def _timers(self, loops: Sequence[RawLoop]) -> Iterator[Counted]:
        """Yield the scheduled calls by callback, of all loops together; each is told with its busiest loop.

        Where all are cancelled there are none, which is worth a word, too.
        """
        totals: Counter[str] = Counter()
        busiest: dict[str, tuple[int, int]] = {}
        for loop in loops:
            for name, count in timers_of(loop).items():
                totals[name] += count
                busiest[name] = max(busiest.get(name, (0, 0)), (count, loop.address))
        cancelled = totals.pop(CANCELLED, 0)
        notes = (f"{cancelled} more are cancelled and wait to be dropped",) if cancelled else ()
        are_all = all(len(loop.timers) == (loop.timers_total or 0) for loop in loops)
        seen = Seen.EXACTLY if are_all else Seen.ESTIMATED
        for name, count in totals.most_common(MOST_GROUPS) or [(CANCELLED, 0)] * bool(cancelled):
            holder = f"{self._path(busiest[name][1])}._scheduled"
            subject = Subject(What.TIMERS, name or "?", holder, notes=notes)
            yield Counted(subject, f"timers:{name}", count, None, seen=seen)

    def _path(self, address: int) -> str:
        path = self._answers.holders.path(address)
        return "loop" if path is None else holder_text(path, self._kinds.class_of)

    def _queues(self, executors: Iterable[RawExecutor]) -> Iterator[Counted]:
        """Yield what waits in the queues of executors, by what is called."""
        totals: Counter[str] = Counter()
        for raw in executors:
            totals.update(calls_in(raw))
        for name, count in totals.most_common(MOST_GROUPS):
            yield Counted(Subject(What.QUEUE, name), f"queue:{name}", count, None)

    def _ended(self) -> Iterator[Counted]:
        """Yield the futures and tasks that have ended and are kept, if the graph has them all.

        Those that nothing holds any more are garbage, and told of as such.
        """
        if self._answers.graph.is_part:
            return
        hubs, held = Hubs(self._answers, self._kinds), self._answers.holders.holding.before != NO_NODE
        for name, kinds in self._kinds_of_futures().items():
            nodes = np.flatnonzero(np.isin(self._answers.graph.types, kinds) & held)
            ended, count = self._that_have_ended(nodes)
            if count < LEAST_ENDED:
                continue
            chosen = np.zeros(len(self._answers.graph), np.bool_)
            chosen[ended] = True
            hub = hubs.of(chosen)
            holder = "" if hub is None else hub.holder
            subject = Subject(What.ENDED_TASKS, name, holder, chain=() if hub is None else hub.chain)
            seen = Seen.EXACTLY if count == len(ended) else Seen.ESTIMATED
            yield Counted(subject, f"ended:{name}", count, None, seen=seen)

    def _kinds_of_futures(self) -> dict[str, list[int]]:
        """Return the types of futures and tasks by name: classes that are made again and again share one."""
        found: dict[str, list[int]] = {}
        for kind, name in enumerate(self._kinds.names):
            if not _FUTURES.isdisjoint(self._kinds.ancestors(kind)):
                found.setdefault(name, []).append(kind)
        return found

    def _that_have_ended(self, nodes: Sequence[int] | np.typing.NDArray[np.intp]) -> tuple[list[int], int]:
        """Return which of some futures have ended, of those that were read, and about how many of all."""
        step = max(1, -(-len(nodes) // MOST_READ))
        by_address = {int(self._answers.graph.addresses[node]): int(node) for node in nodes[::step]}
        futures = self._looker.futures.read(by_address)
        ended = [by_address[address] for address, one in futures.items() if one.state not in (None, PENDING)]
        return ended, len(ended) * step


def timers_of(loop: RawLoop) -> Counter[str]:
    """Count the timers of a loop by callback; of very many only some were described, which speak for all."""
    counts = Counter(CANCELLED if one.cancelled else one.callback or "?" for one in loop.timers)
    described = len(loop.timers)
    total = max(described, loop.timers_total or 0)
    return Counter({name: count * total // described for name, count in counts.items()})


def calls_in(raw: RawExecutor) -> Counter[str]:
    """Count what waits in a queue by what is called; of very many only the first were described."""
    described = sum(count for _, count in raw.work)
    total = max(described, raw.queued or 0)
    return Counter({name: count * total // described for name, count in raw.work if name})


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
