"""The page of `memprobe blame`: per container, which lines put entries in and take them out."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

from memprobe.views.page import Column, Facts, Notes, Page, Section, Table
from memprobe.views.places import place
from memprobe.views.quantities import UNKNOWN, count, duration
from memprobe.vocab.stack import Frame, own_frame

LINES = 8
"""Of one container; all of them are in the document."""

COLUMNS = (
    Column("net/s", right=True),
    Column("adds/s", right=True),
    Column("removes/s", right=True),
    Column("line", stretches=True),
)


def page(document: dict[str, Any]) -> Page:
    """Everything that a person wants to see of a run."""
    containers = document["containers"]
    invisible = document["evidence"]["invisible"]
    sections = [Section(one["holder"], tuple(_blocks(one))) for one in containers]
    if invisible:
        sections.append(Section("not seen", (Notes(tuple(invisible)),)))
    return Page(_verdict(document), tuple(sections))


def _verdict(document: dict[str, Any]) -> str:
    fastest = max(document["containers"], key=lambda one: one["net_per_s"] or 0.0)
    pid, watched_s = document["target"]["pid"], document["window"]["duration_s"]
    if not fastest["lines"]:
        return f"pid {pid}: nothing was put in or taken out in {duration(watched_s)}"
    where = place(fastest["lines"][0]["site"])
    return (
        f"{where} fills {fastest['holder']} of pid {pid}: {fastest['lines'][0]['net_per_s']:+,.3g} a second"
    )


def _blocks(one: dict[str, Any]) -> Iterator[Facts | Table | Notes]:
    yield Facts(tuple(_facts(one)))
    if one["lines"]:
        yield Table(COLUMNS, tuple(_row(line) for line in one["lines"][:LINES]))
    if len(one["lines"]) > LINES:
        yield Notes((f"{len(one['lines']) - LINES} more lines that do less.",))


def _facts(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield one["type"], f"{count(one['entries'], 'entry', 'entries')} at {one['address']}"
    if one["hits"] is None:
        yield "watched", "not yet"
        return
    share = one["seen_s"] / one["watched_s"] if one["watched_s"] else 0.0
    yield "changes", f"{_rate(one['added_per_s'])} in, {_rate(one['removed_per_s'])} out, a second"
    yield "watched", f"{duration(one['watched_s'])}, {share:.2g} of it; {count(one['hits'], 'change')} seen"


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    rates = (f"{line['net_per_s']:+,.3g}", _rate(line["added_per_s"]), _rate(line["removed_per_s"]))
    return (*rates, _where(line["site"]))


def _where(site: list[dict[str, Any]]) -> str:
    """The line itself; where a library did it, the line of the program that called it after it."""
    if not site:
        return UNKNOWN
    frames = tuple(Frame(one["function"], one["file"], one["line"]) for one in site)
    own = own_frame(frames)
    inner = f"{frames[0].function} {frames[0].file}:{frames[0].line}".strip(" :0")
    return inner if own is None or own is frames[0] else f"{own.function} {own.file}:{own.line}, by {inner}"


def _rate(number: float) -> str:
    return f"{number:,.3g}"


class LiveTable:
    """The page on standard error, painted over itself, if that is a terminal."""

    def __init__(self, page: Callable[[dict[str, Any]], Page] = page) -> None:
        self._page = page
        self.is_shown = sys.stderr is not None and sys.stderr.isatty()
        self._lines = 0

    def show(self, document: dict[str, Any]) -> None:
        """Paint the page instead of the one before; cut to the height of the terminal."""
        from memprobe.views import terminal

        width, height = shutil.get_terminal_size()
        painted = terminal.paint(self._page(document), width=width - 1).splitlines()[: height - 1]
        self.erase()
        self._write("".join(f"{line}\n" for line in painted))
        self._lines = len(painted)

    def erase(self) -> None:
        """Leave nothing behind."""
        if self._lines:
            self._write(f"\x1b[{self._lines}A\x1b[J")
        self._lines = 0

    def _write(self, text: str) -> None:
        if not self.is_shown:
            return
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # the terminal is gone; the result may still have somewhere to go
            self.is_shown = False
