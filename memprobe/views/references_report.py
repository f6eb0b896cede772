"""The document `memprobe.references/1`: who takes references to an object and keeps them; and its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memprobe import __version__
from memprobe.views.blame_report import TARGET
from memprobe.views.page import Column, Facts, Page, Section, Table
from memprobe.views.places import place
from memprobe.views.quantities import count, duration
from memprobe.vocab import Frame

SCHEMA = "memprobe.references/1"
LINES = 8

COLUMNS = (
    Column("kept", right=True),
    Column("taken", right=True),
    Column("returned", right=True),
    Column("line", stretches=True),
)


@dataclass(frozen=True, slots=True)
class Taker:
    """What one stack has done to a count while it was watched."""

    site: tuple[Frame, ...]
    """Innermost first; empty if it is not known."""

    taken: int
    returned: int
    kept: float
    """What is left when what the same calls give back is put against it."""


@dataclass(frozen=True, slots=True)
class Held:
    """One object whose count was watched."""

    type: str
    address: int
    unexplained: int
    """References that nothing explains."""

    watched_s: float
    takers: tuple[Taker, ...]
    """Who keeps most comes first."""


@dataclass(frozen=True, slots=True)
class Referred:
    """What a run has come to."""

    created_at: str
    target: Mapping[str, Any]
    duration_s: float
    overhead: Mapping[str, Any]
    objects: tuple[Held, ...]


def document(referred: Referred) -> dict[str, Any]:
    """Return the document of a run."""
    return {
        "schema": SCHEMA,
        "memprobe": __version__,
        "created_at": referred.created_at,
        "target": {name: referred.target.get(name) for name in TARGET},
        "window": {"start": referred.created_at, "duration_s": round(referred.duration_s, 3)},
        "overhead": dict(referred.overhead),
        "objects": [_object(one) for one in referred.objects],
    }


def _object(one: Held) -> dict[str, Any]:
    return {
        "type": one.type,
        "address": f"{one.address:#x}",
        "unexplained": one.unexplained,
        "watched_s": round(one.watched_s, 6),
        "lines": [_taker(taker) for taker in one.takers],
    }


def _taker(one: Taker) -> dict[str, Any]:
    return {
        "kept": round(one.kept, 3),
        "taken": one.taken,
        "returned": one.returned,
        "site": [{"function": frame.function, "file": frame.file, "line": frame.line} for frame in one.site],
    }


def page(found: dict[str, Any]) -> Page:
    """Everything that a person wants to see of a run."""
    return Page(_verdict(found), tuple(_section(one) for one in found["objects"]))


def _verdict(found: dict[str, Any]) -> str:
    kept = [
        (line["kept"], line, one) for one in found["objects"] for line in one["lines"] if line["kept"] > 0
    ]
    if not kept:
        return f"pid {found['target']['pid']}: no line kept a reference while it was watched"
    _, line, one = max(kept, key=lambda each: int(each[0]))
    return f"{place(line['site'])} keeps references to {one['type']} at {one['address']}"


def _section(one: dict[str, Any]) -> Section:
    unexplained = count(one["unexplained"], "reference")
    facts = (("unexplained", unexplained), ("watched", duration(one["watched_s"])))
    rows = tuple(
        (f"{line['kept']:,.3g}", str(line["taken"]), str(line["returned"]), place(line["site"]))
        for line in one["lines"][:LINES]
    )
    return Section(f"{one['type']} at {one['address']}", (Facts(facts), Table(COLUMNS, rows)))
