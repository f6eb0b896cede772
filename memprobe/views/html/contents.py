"""What the HTML file has in it: the report, and of time, heap and memory what a person can look at.

Everything is bounded, so that the file of a day stays small. Frames stand in it once, and have numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from memprobe.ledger import Ledger
from memprobe.ledger.populations import Population
from memprobe.views.history import MEMORY, PROCESS, History
from memprobe.views.story import Story
from memprobe.vocab.kinds import RegionKind
from memprobe.vocab.subject import Subject, What

HANDLES, HOLDERS, TYPES, LINES = 500, 1000, 1000, 24
FRAMES_DEEP, EXAMPLES, SENTENCES = 64, 3, 200
TEXT = 400
"""No text of the target is longer; a title or a command line of more says no more."""

HELD = (What.HOLDER, What.CONTAINER)


def contents(story: Story) -> dict[str, Any]:
    """Return what goes into the file, as JSON can hold it."""
    document, ledger, history = story.document, story.ledger, story.history
    frames = _Frames()
    report = document | {
        "findings": [frames.told(one) for one in document["findings"]],
        "handles": [frames.told(_shorter(one)) for one in document["handles"][:HANDLES]],
        "growth": [frames.told(one) for one in document["growth"]],
        "evidence": document["evidence"] | {"invisible": document["evidence"]["invisible"][:SENTENCES]},
    }
    populations = [one for one in ledger.populations if one.pid == history.pid]
    subjects = ledger.populations.subjects
    found: dict[str, Any] = {
        "report": report,
        "left_out": {"handles": max(0, len(document["handles"]) - HANDLES)},
        "frames": frames.rows,
        "memory": [{"name": name, "points": history.line(field)} for name, field in MEMORY.items()],
        "process": [{"name": name, "points": history.line(field)} for name, field in PROCESS.items()],
        "kinds": _kinds(history),
        "populations": list(_courses(history, subjects)),
        "holders": _largest(HOLDERS, (_holder(one, subjects[one.subject_id]) for one in populations)),
        "types": _largest(TYPES, (_type(one, subjects[one.subject_id]) for one in populations)),
        "regions": _regions(ledger, history.pid),
    }
    return {name: _cut(part) for name, part in found.items()}


class _Frames:
    """Frames as numbers."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        return list(self._numbers)

    def told(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row whose site consists of numbers."""
        names = ("function", "file", "line", "source")
        site = [self._number(tuple(one[name] for name in names if name in one)) for one in row["site"]]
        return {name: value for name, value in row.items() if name != "below"} | {"site": site[:FRAMES_DEEP]}

    def _number(self, frame: tuple[Any, ...]) -> int:
        return self._numbers.setdefault(frame, len(self._numbers))


def _shorter(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"examples": row["examples"][:EXAMPLES]}


def _kinds(history: History) -> list[dict[str, Any]]:
    names = sorted({name for _, kinds in history.kinds for name in kinds})
    return [
        {"name": name, "points": [(time_s, kinds.get(name, 0)) for time_s, kinds in history.kinds]}
        for name in names
    ]


def _courses(history: History, subjects: Mapping[int, Subject]) -> Iterator[dict[str, Any]]:
    """What has grown most of all that was counted, relative to what there was."""
    moments = list(history.counts)
    if len(moments) < 2:
        return
    known = {number for _, counts in moments[-1:] for number in counts if number in subjects}
    for number in sorted(known, key=lambda number: _grown(moments, number), reverse=True)[:LINES]:
        points = [(time_s, counts[number]) for time_s, counts in moments if number in counts]
        yield {"name": _name(subjects[number]), "points": points}


def _grown(moments: Sequence[tuple[float, Mapping[int, int]]], number: int) -> float:
    first = next((counts[number] for _, counts in moments if number in counts), 0)
    last = moments[-1][1][number]
    return (last - first) / (first + 10)


def _name(subject: Subject) -> str:
    what = subject.what.name.lower().replace("_", " ")
    return f"{subject.holder or subject.type or what} ({what})"


def _holder(one: Population, subject: Subject) -> dict[str, Any] | None:
    if subject.what not in HELD or not subject.holder or not one.bytes:
        return None
    return {
        "path": [*subject.chain, subject.holder],
        "type": subject.type,
        "container": subject.container,
    } | _amounts(one)


def _type(one: Population, subject: Subject) -> dict[str, Any] | None:
    if subject.what != What.TYPE or not one.bytes:
        return None
    return {"type": subject.type} | _amounts(one)


def _amounts(one: Population) -> dict[str, Any]:
    grown = None if one.bytes is None or one.first_bytes is None else one.bytes - one.first_bytes
    return {"count": one.count, "added": one.added, "bytes": one.bytes, "grown": grown}


def _largest(limit: int, rows: Iterator[dict[str, Any] | None]) -> list[dict[str, Any]]:
    known = [row for row in rows if row is not None]
    return sorted(known, key=lambda row: -row["bytes"])[:limit]


def _regions(ledger: Ledger, pid: int | None) -> list[dict[str, Any]]:
    rows = None if pid is None else ledger.regions.newest(pid)
    if rows is None or pid is None:
        return []
    names = {kind.value: kind.name.lower() for kind in RegionKind}
    return [
        {
            "start": f"{int(row['start']):#x}",
            "kind": names.get(int(row["kind"]), "other"),
            "size": int(row["size_bytes"]),
            "used": int(row["used_bytes"]),
            "grown": grown,
        }
        for row, grown in zip(rows, ledger.regions.grown_bytes(pid), strict=True)
    ]


def _cut(value: Any) -> Any:
    """The value with every text cut to what can be read."""
    match value:
        case str():
            return value if len(value) <= TEXT else f"{value[:TEXT]}…"
        case float():
            return round(value, 3)
        case dict():
            return {name: _cut(part) for name, part in value.items()}
        case list() | tuple():
            return [_cut(part) for part in value]
    return value
