"""What a report measures by stack: the rows that profile formats are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from memprobe.vocab.stack import Frame

NO_STACK = Frame("(no stack)", "", 0)
"""Stands where it is not known from where something came."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A number at a stack."""

    what: str
    """What the number counts: "growth" in bytes, "handles" open, "leaks" in bytes that findings retain."""

    sort: str
    """How it grew, the kind of handle, or the kind of leak."""

    value: int

    frames: tuple[Frame, ...]
    """Innermost first; never empty."""


UNITS = {"growth": "bytes", "handles": "count", "leaks": "bytes"}
"""What is counted, and in which unit, in the order in which formats list it."""


def weighed(document: dict[str, Any]) -> Iterator[Weighed]:
    """Yield what grows, what is open and what leaks, each with its stack."""
    for row in document["growth"]:
        yield Weighed("growth", row["how"], row["bytes"], frames_of(row["site"]))
    for row in document["handles"]:
        yield Weighed("handles", row["kind"], row["open"], frames_of(row["site"]))
    for one in document["findings"]:
        if one["site"] and one["bytes"] is not None:
            yield Weighed("leaks", one["kind"], one["bytes"], frames_of(one["site"]))


def frames_of(site: list[dict[str, Any]]) -> tuple[Frame, ...]:
    """Return the frames of a site in the document, innermost first."""
    return tuple(Frame(one["function"], one["file"], one["line"]) for one in site) or (NO_STACK,)
