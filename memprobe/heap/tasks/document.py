"""The document that `memprobe tasks` gives: `memprobe.tasks/1`.

Field names are the names in the JSON. A number that was not measured is None, never 0; units are in
the names. Tasks and loops are named by their addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memprobe import __version__
from memprobe.target.inspection.document import FramePart, TargetPart, ThreadPart
from memprobe.target.inspection.plain_data import as_plain

SCHEMA = "memprobe.tasks/1"

OLDER, NEWER = "older", "newer"


@dataclass(frozen=True, slots=True)
class WaitPart:
    """The future that a task waits for; it may be another task."""

    address: int
    type: str

    state: str | None
    """pending, finished or cancelled; None if it is no future of asyncio."""

    is_task: bool


@dataclass(frozen=True, slots=True)
class TaskPart:
    """One task."""

    address: int
    interpreter: int

    name: str | None
    """Task.get_name()"""

    type: str

    state: str | None
    """pending, finished or cancelled; None if a task of somebody else does not say."""

    running: bool
    """Whether it ran just then."""

    cancel_requested: bool

    exception: str | None
    """The type of the exception that it failed with."""

    never_retrieved: bool
    """It failed, and nobody has asked for its exception yet."""

    loop: int | None
    """The address of its loop."""

    thread_id: int | None
    """threading.get_ident() of the thread that runs its loop."""

    coroutine: str | None
    """The function it was made from; of an awaitable that is no coroutine its type."""

    frames: tuple[FramePart, ...]
    """Innermost first: where it waits; of a task that failed, where it failed."""

    complete: bool
    """False if the chain of its coroutines changed at every attempt, or did not end."""

    waits_for: WaitPart | None

    awaits: tuple[int, ...]
    """The tasks that it waits for, through gather, wait, TaskGroup and such too."""

    awaited_by: tuple[int, ...]
    """The tasks that wait for it."""

    age: str | None = None
    """older or newer than the first look; None if there was only one, or the task was torn."""

    age_at_least_s: float | None = None
    """A lower bound: CPython keeps no time of creation."""

    age_at_most_s: float | None = None

    moved: bool | None = None
    """Whether it stood somewhere else at the first look."""


@dataclass(frozen=True, slots=True)
class HandlePart:
    """One callback that a loop is to call."""

    callback: str

    due_in_s: float | None
    """Of a timer: when it is due, negative if it should have run already; None of a ready callback."""

    cancelled: bool

    tasks: tuple[int, ...]
    """The tasks that it wakes or runs, as far as that can be told."""


@dataclass(frozen=True, slots=True)
class LoopPart:
    """One event loop."""

    address: int
    interpreter: int
    type: str
    running: bool

    thread_id: int | None
    """threading.get_ident() of the thread that runs it."""

    tid: int | None
    thread: str | None
    """The name of that thread."""

    closed: bool | None
    debug: bool | None

    tasks: int
    """Tasks that belong to it, those that are done too."""

    timers: int | None
    """Timers, cancelled ones too; None if the loop keeps them where memprobe does not see them."""

    timers_cancelled: int | None
    """Of those that are listed."""

    scheduled: tuple[HandlePart, ...]
    """The timers; the next one first."""

    ready: int | None
    """Callbacks that are to run in the next round."""

    callbacks: tuple[HandlePart, ...]
    """The ready callbacks in their order."""

    default_executor: int | None


@dataclass(frozen=True, slots=True)
class WorkPart:
    """Work items of one executor that call the same."""

    callback: str
    count: int


@dataclass(frozen=True, slots=True)
class ExecutorPart:
    """One executor of concurrent.futures."""

    address: int | None
    """None if the executor is gone and only its threads are left."""

    interpreter: int
    type: str | None

    kind: str
    """threads or processes."""

    name_prefix: str | None
    workers: int
    maximum_workers: int | None
    idle: int | None

    thread_ids: tuple[int, ...]
    """threading.get_ident() of its threads."""

    queued: int | None
    """Work items that no worker has taken; of processes, all that are not done."""

    work: tuple[WorkPart, ...]
    """What is queued, most first."""

    shut_down: bool | None


@dataclass(frozen=True, slots=True)
class FuturePart:
    """Futures of one type, loop and state that are no tasks."""

    type: str
    interpreter: int
    state: str | None
    loop: int | None
    count: int

    never_awaited: int
    """Nothing waits for them: no callback."""

    never_retrieved: int
    """They failed, and nobody has asked for the exception."""

    exceptions: tuple[str, ...]
    """The types of those exceptions."""


@dataclass(frozen=True, slots=True)
class EvidencePart:
    """How the document came about."""

    looks: int
    between_looks_s: float | None

    torn_tasks: int
    """Tasks that changed at every attempt to read them; they are listed as they were last seen."""

    vanished_tasks: int
    """Tasks that were gone before they could be read."""

    registries_complete: bool
    """False if a list of tasks changed at every attempt: some may be missing."""

    searched_mb: float | None
    """How much memory was looked through for futures, in units of 2**20 bytes; None if none was."""


@dataclass(frozen=True, slots=True)
class TasksDocument:
    """Everything that `memprobe tasks` has seen."""

    created_at: str
    target: TargetPart
    tasks: tuple[TaskPart, ...]
    loops: tuple[LoopPart, ...]
    futures: tuple[FuturePart, ...]
    executors: tuple[ExecutorPart, ...]
    threads: tuple[ThreadPart, ...]
    evidence: EvidencePart

    invisible: tuple[str, ...]
    """What could not be seen, and why: one sentence each."""

    def to_dict(self) -> dict[str, Any]:
        """The document as it is printed with --json."""
        return {"schema": SCHEMA, "memprobe": __version__, **as_plain(self)}
