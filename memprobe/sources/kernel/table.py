"""The table of all programs, as probes/programs.json has it, and the objects that it names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from memprobe.native.bpf import table_path

FIRST = "processes"
"""The object that is loaded first, and makes all maps that objects share."""

EXACT = "memory_moved"
"""The program that keeps the exact account of memory."""

HANDLES = "handles"
GROWTH = "growth"
WATCH = "watch"
BIRTHS = "births"
MUTATORS = "mutators"

LATE = frozenset({WATCH, BIRTHS, MUTATORS})
"""Objects that are loaded only when somebody wants them: most runs never do."""


@dataclass(frozen=True, slots=True)
class Program:
    """One BPF program, and where it belongs."""

    object: str
    """The compiled file that it is in."""

    name: str

    hook: str
    """raw_tracepoint, tracepoint, perf_event, iterator, own (memprobe runs it), uprobe or watchpoint."""

    optional: bool
    """Whether the source can do without it."""

    missing: str
    """The sentence for the report where it is not there."""

    points: tuple[tuple[str, bool], ...]
    """Its tracepoints, and whether each may be missing without a word."""


@cache
def programs() -> tuple[Program, ...]:
    """All programs, in the order of the table."""
    document = json.loads(table_path().read_bytes())
    return tuple(_program(row) for row in document["programs"])


def _program(row: dict[str, object]) -> Program:
    points = row["points"]
    assert isinstance(points, list)
    return Program(
        object=str(row["object"]),
        name=str(row["program"]),
        hook=str(row["hook"]),
        optional=bool(row["optional"]),
        missing=str(row["missing"]),
        points=tuple((str(point["point"]), bool(point["optional"])) for point in points),
    )
