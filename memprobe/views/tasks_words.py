"""Words for one task: how it is doing, where it stands, how old it is."""

from __future__ import annotations

from memprobe.heap.tasks.document import OLDER, TaskPart
from memprobe.target.inspection.document import FramePart
from memprobe.views.quantities import UNKNOWN

NOTHING = "-"

_LIBRARY = ("/asyncio/", "/asyncio.")


def state_of(task: TaskPart) -> str:
    """One word for how a task is doing."""
    if task.running:
        return "running"
    if task.exception:
        return f"failed: {task.exception}" + (", not asked" if task.never_retrieved else "")
    if task.cancel_requested:
        return "being cancelled"
    return task.state or UNKNOWN


def own_place(task: TaskPart) -> str:
    """The innermost line outside asyncio itself: where the program waits."""
    frame = _own_frame(task)
    return f"{frame.function} {place(frame)}" if frame else NOTHING


def innermost(task: TaskPart) -> str:
    """The function of asyncio that this line waits in; nothing if it waits in none."""
    if not task.frames or task.frames[0] is _own_frame(task):
        return NOTHING
    return f"{task.frames[0].function} {place(task.frames[0])}"


def _own_frame(task: TaskPart) -> FramePart | None:
    """The innermost frame of the program; of a coroutine of asyncio itself the outermost one."""
    own = (frame for frame in task.frames if not any(part in frame.file for part in _LIBRARY))
    return next(own, task.frames[-1] if task.frames else None)


def age_of(task: TaskPart) -> str:
    """What two looks tell of a task's age, and whether it has moved."""
    if task.age is None:
        return NOTHING
    if task.age != OLDER:
        return f"< {task.age_at_most_s or 0:.1f} s"
    return f"> {task.age_at_least_s or 0:.1f} s{', moves' if task.moved else ''}"


def place(frame: FramePart) -> str:
    """File and line, without the folders."""
    file = frame.file.rpartition("/")[2]
    return f"{file}:{frame.line}" if frame.line else file
