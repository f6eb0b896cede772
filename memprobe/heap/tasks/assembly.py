"""The parts of the document, made from what two looks have seen; nothing here opens anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from memprobe.heap.tasks.budget import Budget
from memprobe.heap.tasks.document import (
    NEWER,
    OLDER,
    ExecutorPart,
    HandlePart,
    LoopPart,
    TaskPart,
    WaitPart,
    WorkPart,
)
from memprobe.heap.tasks.look import InterpreterLook, Look, Looker, SeenTask
from memprobe.heap.tasks.loops import RawHandle, RawLoop
from memprobe.heap.tasks.task_objects import PENDING
from memprobe.target.cpython.objects import UNREADABLE
from memprobe.target.cpython.python import PythonThread
from memprobe.target.inspection.document import FramePart
from memprobe.vocab import Frame

MAXIMUM_TEXT = 256 << 20
"""Characters of the frames of all tasks; a million ordinary frames have 200 million."""


class Assembly:
    """Turns one look into parts of the document."""

    def __init__(self, looker: Looker, look: Look) -> None:
        self._looker = looker
        self._look = look
        self._types = looker.types
        self._budget = Budget(MAXIMUM_TEXT)
        self._threads = {thread.address: thread for thread in look.threads}

    def tasks(self) -> Iterator[TaskPart]:
        """All tasks, by interpreter and address."""
        for one in self._look.interpreters:
            names = self._names(one)
            threads = {loop.address: loop.thread for loop in one.loops}
            made_from = self._looker.coroutines.names(seen.future.coroutine for seen in one.tasks.values())
            awaits = _inverted({task: one.awaiting.awaiters(task) for task in one.tasks})
            for address, seen in sorted(one.tasks.items()):
                thread = self._threads.get(threads.get(seen.future.loop, 0))
                part = self._task(one, seen, thread)
                yield replace(
                    part,
                    name=names.get(address),
                    coroutine=made_from.get(seen.future.coroutine),
                    awaits=awaits.get(address, ()),
                )

    def _task(self, one: InterpreterLook, seen: SeenTask, thread: PythonThread | None) -> TaskPart:
        future, chain = seen.future, seen.chain
        running = chain.running or future.address in one.running
        runs_in = self._threads.get(one.running.get(future.address, 0), thread)
        frames, complete = self._frames(seen, runs_in if running else None)
        shown = tuple(self._shown(frames))
        return TaskPart(
            address=future.address,
            interpreter=one.interpreter.id,
            name=None,
            type=self._types.label(future.type),
            state=future.state,
            running=running,
            cancel_requested=future.cancel_requested and future.state == PENDING,
            exception=self._label(future.exception) if future.exception else None,
            never_retrieved=future.never_retrieved and bool(future.exception),
            loop=future.loop or None,
            thread_id=thread.ident if thread else None,
            coroutine=None,
            frames=shown,
            complete=complete and not seen.torn and len(shown) == len(frames),
            waits_for=self._waits_for(one, seen),
            awaits=(),
            awaited_by=one.awaiting.awaiters(future.address),
        )

    def _shown(self, frames: Sequence[Frame]) -> Iterator[FramePart]:
        """The frames as the document has them, as long as there is room for their names."""
        for frame in frames:
            size = len(frame.function) + len(frame.file) + 100
            if self._budget.take(size) < size:
                return
            yield FramePart(frame.function, frame.file, frame.line)

    def _frames(self, seen: SeenTask, thread: PythonThread | None) -> tuple[tuple[Frame, ...], bool]:
        """Where a task stands, the innermost frame first, and whether that is all."""
        own = tuple(reversed(seen.chain.frames))
        if thread is not None and thread.stack is not None and own:
            # The outermost coroutine is on the stack of the thread; what lies within it is the task's.
            places = [
                index
                for index, frame in enumerate(thread.stack.frames)
                if (frame.function, frame.file) == (own[-1].function, own[-1].file)
            ]
            if places:
                return thread.stack.frames[: places[-1] + 1], thread.stack.complete
            return own, False
        if not own and seen.future.exception:
            return self._looker.tracebacks.of_exception(seen.future.exception), True
        return own, True

    def _waits_for(self, one: InterpreterLook, seen: SeenTask) -> WaitPart | None:
        """The future that a task waits for: it says so itself, or its innermost coroutine does."""
        if seen.future.state != PENDING:
            return None
        address = seen.future.waiter or self._looker.coroutines.future_of(seen.chain.end)
        if not address:
            return None
        future = one.awaiting.known.get(address)
        if future is None:
            return WaitPart(address, self._label(address), None, is_task=False)
        return WaitPart(address, self._types.label(future.type), future.state, future.is_task)

    def _label(self, address: int) -> str:
        return self._types.label(self._types.of(address))

    def _names(self, one: InterpreterLook) -> dict[int, str]:
        """The names of tasks; one that nobody has asked for is still a number in 3.12 and later."""
        objects = self._looker.python.objects
        wanted = {address: seen.future.name for address, seen in one.tasks.items() if seen.future.name}
        types = self._types.of_many(wanted.values())
        texts = objects.strings(
            name for name in wanted.values() if self._types.is_a(types.get(name, 0), "str")
        )
        found = {address: texts[name] for address, name in wanted.items() if name in texts}
        for address, name in wanted.items():
            if self._types.name(types.get(name, 0)) == "int":
                try:
                    found[address] = f"Task-{objects.integer(name)}"
                except UNREADABLE:
                    continue
        return found

    def loops(self) -> Iterator[LoopPart]:
        """All loops, those that run first."""
        for one in self._look.interpreters:
            counts = Counter(seen.future.loop for seen in one.tasks.values())
            for loop in one.loops:
                yield self._loop(one, loop, counts[loop.address])

    def _loop(self, one: InterpreterLook, loop: RawLoop, tasks: int) -> LoopPart:
        thread = self._threads.get(loop.thread)
        scheduled = [self._handle(one, handle, loop.now) for handle in loop.timers]
        return LoopPart(
            address=loop.address,
            interpreter=one.interpreter.id,
            type=loop.type,
            running=bool(loop.thread),
            thread_id=thread.ident if thread else None,
            tid=thread.tid if thread else None,
            thread=(thread.name or thread.os_name or None) if thread else None,
            closed=loop.closed,
            debug=loop.debug,
            tasks=tasks,
            timers=loop.timers_total,
            timers_cancelled=None
            if loop.timers_total is None
            else sum(handle.cancelled for handle in loop.timers),
            scheduled=tuple(sorted(scheduled, key=lambda part: (part.due_in_s is None, part.due_in_s or 0))),
            ready=loop.ready_total,
            callbacks=tuple(self._handle(one, handle, loop.now) for handle in loop.ready),
            default_executor=loop.executor if self._label(loop.executor) not in ("?", "NoneType") else None,
        )

    def _handle(self, one: InterpreterLook, handle: RawHandle, now: float) -> HandlePart:
        due = None if handle.when is None else round(handle.when - now, 6)
        return HandlePart(handle.callback, due, handle.cancelled, self._concerned(one, handle))

    def _concerned(self, one: InterpreterLook, handle: RawHandle) -> tuple[int, ...]:
        """The tasks that a callback runs, or wakes through a future."""
        found: dict[int, None] = {}
        for address in handle.acts_on:
            if address in one.tasks:
                found[address] = None
            elif address in one.awaiting.known:
                found.update(dict.fromkeys(one.awaiting.awaiters(address)))
            elif handle.callback.endswith("Timeout._on_timeout"):
                found.update(dict.fromkeys(self._timed_out(one, address)))
        return tuple(found)

    def _timed_out(self, one: InterpreterLook, timeout: int) -> Iterator[int]:
        """The task inside an asyncio.timeout()."""
        try:
            task = self._looker.attributes.of(timeout).get("_task", 0)
        except UNREADABLE:
            return
        if task in one.tasks:
            yield task

    def executors(self) -> Iterator[ExecutorPart]:
        """All executors."""
        for one in self._look.interpreters:
            for raw in one.executors:
                yield ExecutorPart(
                    address=raw.address or None,
                    interpreter=one.interpreter.id,
                    type=raw.type,
                    kind=raw.kind,
                    name_prefix=raw.name_prefix,
                    workers=raw.workers,
                    maximum_workers=raw.maximum_workers,
                    idle=raw.idle,
                    thread_ids=raw.idents,
                    queued=raw.queued,
                    work=tuple(WorkPart(name, count) for name, count in raw.work),
                    shut_down=raw.shut_down,
                )


def aged(first: Mapping[int, TaskPart], second: TaskPart, between_s: float) -> TaskPart:
    """A task of the second look, with what the first look tells of its age."""
    if not second.complete:
        return second  # torn: it may be two tasks, one after the other
    before = first.get(second.address)
    if before is None or _identity(before) != _identity(second):
        return replace(second, age=NEWER, age_at_most_s=round(between_s, 3))
    # The innermost frames tell whether it went on: the loop of a task that polls comes back to its line,
    # so "not moved" is no proof that it hangs.
    moved = before.frames != second.frames or before.state != second.state
    return replace(second, age=OLDER, age_at_least_s=round(between_s, 3), moved=moved)


def _identity(task: TaskPart) -> tuple[object, ...]:
    """What a task keeps for its whole life: its address alone may be another task's by now."""
    return task.address, task.type, task.name, task.coroutine, task.loop


def _inverted(awaited_by: Mapping[int, tuple[int, ...]]) -> dict[int, tuple[int, ...]]:
    """Whom each task awaits, given who awaits it."""
    found: dict[int, list[int]] = {}
    for task, awaiters in awaited_by.items():
        for awaiter in awaiters:
            found.setdefault(awaiter, []).append(task)
    return {task: tuple(sorted(awaited)) for task, awaited in found.items()}
