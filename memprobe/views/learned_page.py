"""The page of `learn show`: what is known of programs, and how well it has served."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from memprobe.views.page import Column, Notes, Page, Section, Table
from memprobe.views.quantities import UNKNOWN, count, duration

Row = dict[str, Any]

LEGEND = (
    "lives: how long those that ended lived, moving average over runs; usual: how many there were at the end "
    "of a run; kept: the probability that an old one is kept on purpose (0.5 says nothing); served: in how "
    "many runs that came out as expected."
)


def programs_page(document: dict[str, Any], now_s: float) -> Page:
    """All programs that something is known of."""
    programs = document["programs"]
    columns = (
        Column("program", stretches=True),
        Column("runs", right=True),
        Column("last", right=True),
        Column("sorts", right=True),
    )
    rows = tuple(
        (row["program"], f"{row['runs']:,}", f"{duration(now_s - row['last_s'])} ago", f"{row['sorts']:,}")
        for row in programs
    )
    table = (Section("programs", (Table(columns, rows),)),) if rows else ()
    verdict = f"{count(len(programs), 'program')} known, in {document['store']}"
    return Page(verdict, (*table, *_opinions(document["opinions"])))


def program_page(document: dict[str, Any], limit: int) -> Page:
    """One program, sort by sort."""
    (program,) = document["programs"]
    rows = program["habits"]
    columns = (
        Column("what"),
        Column("group"),
        Column("runs", right=True),
        Column("lives", right=True),
        Column("99 %", right=True),
        Column("usual", right=True),
        Column("kept", right=True),
        Column("served", right=True),
        Column("at", stretches=True),
    )
    table = Table(columns, tuple(map(_habit, rows[:limit])))
    more = (Notes((f"{count(len(rows) - limit, 'more row')}: see --json.",)),) if len(rows) > limit else ()
    sections = (Section(program["program"], (table, *more, Notes((LEGEND,)))),) if rows else ()
    known = f"{count(len(rows), 'sort')} of things known from {count(program['runs'], 'run')}"
    return Page(f"{program['program']}: {known}", (*sections, *_opinions(document["opinions"])))


def _habit(row: Row) -> tuple[str, ...]:
    tried = row["right"] + row["wrong"]
    return (
        row["kind"],
        row["group"],
        f"{row['runs']:.1f}",
        _seconds(row["life_s"]),
        _seconds(row["life_p99_s"]),
        UNKNOWN if row["usual"] is None else f"{row['usual']:,.0f}",
        UNKNOWN if row["protection"] is None else f"{row['protection']:.2f}",
        UNKNOWN if not tried else f"{row['right']:.0f} of {tried:.0f}",
        row["site"],
    )


def _opinions(rows: Sequence[Row]) -> Iterator[Section]:
    if rows:
        columns = (Column("key"), Column("word"), Column("said"), Column("reason", stretches=True))
        table = tuple((row["key"], row["verdict"], _day(row["said_s"]), row["reason"]) for row in rows)
        yield Section("your word", (Table(columns, table),))


def _seconds(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.3g} s" if value < 60 else duration(value)


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
