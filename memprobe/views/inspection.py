"""The page of `memprobe inspect`: what the process is, first in one line, then in tables."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from memprobe.target.inspection.document import (
    CollectorPart,
    FramePart,
    HandlesPart,
    Inspection,
    MemoryPart,
    PythonPart,
    TargetPart,
    ThreadPart,
)
from memprobe.views.escaping import shorten
from memprobe.views.page import Column, Facts, Notes, Page, Section, Table
from memprobe.views.quantities import UNKNOWN, count, duration, megabytes

NEAR_A_LIMIT = 0.9
"""From here on a limit is worth the first line."""

COMMAND_WIDTH = 300
EXAMPLES_SHOWN = 3
PY_SPY = "py-spy"


def page(inspection: Inspection, *, stacks: bool) -> Page:
    """Everything that a person wants to see of an inspection; whole stacks only if asked for."""
    sections = [
        Section("process", (Facts(tuple(_process(inspection))),)),
        Section("memory", (Facts(tuple(_memory(inspection.memory))),)),
        *_collector(inspection.process.gc),
        *_handles(inspection.handles),
        *_threads(inspection),
        *(_stacks(inspection) if stacks else ()),
        *_invisible(inspection.invisible),
    ]
    return Page(_verdict(inspection), tuple(sections))


def _verdict(inspection: Inspection) -> str:
    target = inspection.target
    what = f"CPython {target.python}" if target.python else "a process whose Python cannot be seen"
    facts = [
        f"up {duration(target.uptime_s)}",
        f"{megabytes(inspection.memory.rss_mb)} resident",
        count(inspection.process.threads, "thread"),
        count(inspection.process.fds, "open handle"),
        *_alarms(inspection),
    ]
    return f"pid {target.pid} is {what}: {', '.join(facts)}"


def _alarms(inspection: Inspection) -> Iterator[str]:
    """What is worth saying in the first line: a limit that is near, a collector that is off."""
    memory, process = inspection.memory, inspection.process
    yield from _near(memory.limit_used_mb, memory.limit_mb, "its memory limit")
    yield from _near(process.fds, process.fd_limit, "its file descriptor limit")
    if process.gc and process.gc.enabled is False:
        yield "garbage collector off"


def _near(used: float | None, limit: float | None, name: str) -> Iterator[str]:
    if used is not None and limit and used >= NEAR_A_LIMIT * limit:
        yield f"at {100 * used / limit:.0f} % of {name}"


def _process(inspection: Inspection) -> Iterator[tuple[str, str]]:
    target, python = inspection.target, inspection.python
    yield "command", shorten(shlex.join(target.cmdline), COMMAND_WIDTH) if target.cmdline else UNKNOWN
    yield "binary", target.exe or UNKNOWN
    if python:
        yield "python", ", ".join(_python(target, python))
    yield "started", target.start_time or UNKNOWN
    if target.container or target.ns_pid not in (None, target.pid):
        yield "container", f"{target.container or 'own pid namespace'}, pid {target.ns_pid or UNKNOWN} inside"
    yield "evidence", _evidence(inspection)


def _python(target: TargetPart, python: PythonPart) -> Iterator[str]:
    yield python.version or UNKNOWN
    yield target.build or "unknown build"
    if python.binary and python.binary != target.exe:
        yield python.binary
    if python.build_id:
        yield f"build-id {python.build_id}"
    if len(python.interpreters) > 1:
        yield f"{len(python.interpreters)} interpreters"


def _evidence(inspection: Inspection) -> str:
    tier, python = inspection.target.tier, inspection.python
    if tier == 0 or python is None:
        return f"tier {tier}: what /proc shows, not the memory of the process"
    failed = [check.name for check in python.checks if not check.passed]
    checked = f"{len(python.checks) - len(failed)} of {len(python.checks)} layout checks passed"
    return f"tier {tier}: /proc and the memory of the process; {checked}"


def _memory(memory: MemoryPart) -> Iterator[tuple[str, str]]:
    yield "resident", f"{megabytes(memory.rss_mb)}, peak {megabytes(memory.rss_peak_mb)}"
    yield (
        "only its own",
        f"{megabytes(memory.uss_mb)}, with its share of shared pages {megabytes(memory.pss_mb)}",
    )
    yield "swapped out", megabytes(memory.swap_mb)
    yield "address space", megabytes(memory.vms_mb)
    if memory.arenas_mb is not None:
        free = "" if memory.arena_free_mb is None else f", {megabytes(memory.arena_free_mb)} of it free"
        yield "python arenas", f"{megabytes(memory.arenas_mb)} in {count(memory.arenas, 'arena')}{free}"
    if memory.limit_mb is not None:
        yield "limit", f"{megabytes(memory.limit_mb)} (cgroup), {megabytes(memory.limit_used_mb)} used"


def _collector(collector: CollectorPart | None) -> Iterator[Section]:
    if collector is None:
        return
    state = "unknown" if collector.enabled is None else "on" if collector.enabled else "off"
    running = ", collecting right now" if collector.collecting else ""
    columns = (Column("generation"), *(Column(name, right=True) for name in ("count", "threshold")))
    columns += tuple(Column(name, right=True) for name in ("collections", "objects"))
    rows = tuple(_generation(collector, index) for index in range(len(collector.thresholds)))
    yield Section(f"garbage collector ({state}{running})", (Table(columns, rows),))


def _generation(collector: CollectorPart, index: int) -> tuple[str, ...]:
    columns = (collector.counts, collector.thresholds, collector.collections, collector.objects)
    cells = (column[index] if index < len(column) else None for column in columns)
    return (str(index), *(UNKNOWN if cell is None else f"{cell:,}" for cell in cells))


def _handles(handles: tuple[HandlesPart, ...]) -> Iterator[Section]:
    if not handles:
        return
    columns = (Column("kind"), Column("open", right=True), Column("examples", stretches=True))
    rows = tuple((part.kind, f"{part.open:,}", _examples(part)) for part in handles)
    yield Section("open handles", (Table(columns, rows),))


def _examples(part: HandlesPart) -> str:
    families = [f"{family.open:,} {family.name}" for family in part.families]
    names = {family.name for family in part.families}
    examples = [example for example in dict.fromkeys(part.examples) if example not in names]
    return ", ".join((*families, *examples[:EXAMPLES_SHOWN]))


def _threads(inspection: Inspection) -> Iterator[Section]:
    if not inspection.threads:
        return
    columns = (
        Column("tid", right=True),
        Column("name"),
        Column("GIL"),
        Column("runs", stretches=True),
        Column("at", stretches=True),
    )
    rows = tuple(_thread(thread) for thread in inspection.threads)
    yield Section(_marked("threads", inspection), (Table(columns, rows),))


def _marked(title: str, inspection: Inspection) -> str:
    """Say in the title when somebody else read the stacks."""
    foreign = inspection.python is not None and inspection.python.stacks_from == PY_SPY
    return f"{title} (read by py-spy, not by memprobe)" if foreign else title


def _thread(thread: ThreadPart) -> tuple[str, ...]:
    runs, at = _innermost(thread)
    gil = "" if not thread.holds_gil else "holds"
    return (str(thread.tid or "?"), _name(thread), gil, runs, at)


def _name(thread: ThreadPart) -> str:
    return thread.name or thread.os_name or UNKNOWN


def _innermost(thread: ThreadPart) -> tuple[str, str]:
    if not thread.frames:
        return ("no Python frame" if thread.complete else "stack not read"), ""
    frame = thread.frames[0]
    return frame.function, _place(frame, frame.file.rpartition("/")[2])


def _place(frame: FramePart, file: str) -> str:
    return f"{file}:{frame.line}" if frame.line else file


def _stacks(inspection: Inspection) -> Iterator[Section]:
    for thread in inspection.threads:
        if thread.frames:
            yield Section(_marked(_heading(thread), inspection), tuple(_stack(thread)))


def _heading(thread: ThreadPart) -> str:
    gil = ", holds the GIL" if thread.holds_gil else ""
    daemon = ", daemon" if thread.daemon else ""
    return f"thread {thread.tid or '?'} {_name(thread)}{daemon}{gil}"


def _stack(thread: ThreadPart) -> Iterator[Table | Notes]:
    columns = (Column("function", stretches=True), Column("at", stretches=True))
    yield Table(columns, tuple((frame.function, _place(frame, frame.file)) for frame in thread.frames))
    if thread.complete is False:
        yield Notes(
            ("the walk ended here: the stack changed while it was read, or is longer than the bound",)
        )


def _invisible(sentences: tuple[str, ...]) -> Iterator[Section]:
    if sentences:
        yield Section("not visible", (Notes(sentences),))
