"""The page of `memprobe blame --object-births`: which lines make what stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from memprobe.views.page import Column, Facts, Notes, Page, Section, Table
from memprobe.views.places import place
from memprobe.views.quantities import UNKNOWN, count, duration

LINES = 12

COLUMNS = (
    Column("survivors/s", right=True),
    Column("95 % between", right=True),
    Column("bytes/s", right=True),
    Column("caught", right=True),
    Column("type"),
    Column("line", stretches=True),
)


def page(document: dict[str, Any]) -> Page:
    """Everything that a person wants to see of a run."""
    return Page(_verdict(document), (Section("births of what stays", tuple(_blocks(document))),))


def _verdict(document: dict[str, Any]) -> str:
    pid, watched_s = document["target"]["pid"], document["window"]["duration_s"]
    if not document["births"]:
        return f"pid {pid}: nothing of {document['type']} that was born in {duration(watched_s)} stays"
    first = document["births"][0]
    return (
        f"{place(first['site'])} makes {first['per_s']:,.3g} {first['type']} a second that stay (pid {pid})"
    )


def _blocks(document: dict[str, Any]) -> Iterator[Facts | Table | Notes]:
    evidence, births = document["evidence"], document["births"]
    traced = f"{count(evidence['births_traced'], 'birth')} in {count(evidence['bursts'], 'burst')}"
    slowdown = document["overhead"]["target_slowdown_pct"]
    cost = UNKNOWN if slowdown is None else f"{slowdown:.2f} % of its time"
    yield Facts((("traced", traced), ("cost", cost), ("caught", count(evidence["survivors"], "survivor"))))
    if births:
        yield Table(COLUMNS, tuple(_row(one) for one in births[:LINES]))
    if len(births) > LINES:
        yield Notes((f"{len(births) - LINES} more lines that make less.",))
    if evidence["invisible"]:
        yield Notes(tuple(evidence["invisible"]))


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    between = f"{one['per_s_low']:,.3g} and {one['per_s_high']:,.3g}"
    return (
        f"{one['per_s']:,.3g}",
        between,
        f"{one['bytes_per_s']:,.3g}",
        str(one["caught"]),
        one["type"],
        place(one["site"]),
    )
