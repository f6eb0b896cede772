"""What `memprobe diff` shows: the document `memprobe.diff/1`, and a page of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from memprobe.views.escaping import escape
from memprobe.views.places import place
from memprobe.views.quantities import count

SCHEMA = "memprobe.diff/1"
SHOWN = 20
"""Rows of each sort of change; the document has all."""

_BYTES = ("memory", "growth")


def page(document: dict[str, Any]) -> Iterator[str]:
    """The lines: worst first."""
    before, after = document["before"], document["after"]
    yield f"before: {_side(before)}"
    yield f"after:  {_side(after)}"
    changes = dict.fromkeys(row["change"] for row in document["rows"])
    short = [name for name in ("before", "after") if not document[name]["tells"]]
    if short:
        yield f"{' and '.join(short)}: too short to tell what grows"
    elif not changes:
        yield "nothing surely grows in either of them"
    for change in changes:
        rows = [row for row in document["rows"] if row["change"] == change]
        yield ""
        yield f"{change}: {count(len(rows), 'row')}"
        yield from map(_line, rows[:SHOWN])
        if len(rows) > SHOWN:
            yield f"  and {len(rows) - SHOWN} more, see --json"
    yield ""
    yield document["limits"]


def _side(one: dict[str, Any]) -> str:
    return escape(f"{one['file']}, {one['duration_s']:.0f} s from {one['created_at']}")


def _line(row: dict[str, Any]) -> str:
    site = f" {place(row['site'])}" if row["site"] else ""
    rates = f"{_rate(row['before_per_s'], row)} -> {_rate(row['after_per_s'], row)}"
    return f"  {row['sort']:<8}  {rates}  {escape(row['name'])}{escape(site)}"


def _rate(per_s: float, row: dict[str, Any]) -> str:
    if row["sort"] in _BYTES:
        return f"{per_s * 3600 / (1 << 20):.1f} MB/h"
    return f"{per_s:.3g}/s"
