"""Paint a page with rich, for a person at a terminal.

Cells are built as `Text`, never as markup: a thread named `[red]` stays `[red]`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from memprobe.views.escaping import escape
from memprobe.views.page import Column, Facts, Notes, Page, Section, Table

WORDS = {"ok": "green", "missing": "yellow", "MISSING": "bold red", "holds": "bold green", "unknown": "dim"}
"""Cells that consist of one of these words get its colour."""

NO_BREAK = "\ue000"
"""Stands for a space where rich must not break a line, until it has painted; no escaped text has it."""

VERDICT, TITLE, NAME, HEADING = "bold", "bold cyan", "dim", "dim"


def paint(page: Page, *, width: int | None = None) -> str:
    """The page with the styles that the terminal knows, at its width unless told."""
    # Painted into a string: rich leaves the program by itself when a pipe breaks.
    stream = StringIO()
    console = Console(
        file=stream, force_terminal=True, highlight=False, markup=False, emoji=False, width=width
    )
    console.print(Text(escape(page.verdict), style=VERDICT))
    for section in page.sections:
        console.print()
        console.print(_section(section))
    text = stream.getvalue().replace(NO_BREAK, " ")
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def fitting(pages: Iterable[Page], size: os.terminal_size) -> str:
    """The first of the pages that leaves room for the prompt; if none does, the last, cut."""
    text = ""
    for page in pages:
        text = paint(page, width=size.columns)
        if text.count("\n") < size.lines:
            return text
    return "".join(text.splitlines(keepends=True)[: max(1, size.lines - 1)])


def _section(section: Section) -> RenderableType:
    title = [Text(escape(section.title), style=TITLE)] if section.title else []
    return Group(*title, *(Padding(_block(block), (0, 0, 0, 2)) for block in section.blocks))


def _block(block: Facts | Table | Notes) -> RenderableType:
    match block:
        case Facts():
            return _facts(block)
        case Table():
            return _table(block)
        case Notes():
            return _notes(block)


def _facts(facts: Facts) -> Grid:
    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(style=NAME, no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.pairs:
        grid.add_row(Text(escape(name)), Text(escape(value)))
    return grid


def _table(table: Table) -> Grid:
    grid = Grid(box=None, padding=(0, 2, 0, 0), header_style=HEADING, pad_edge=False)
    for column in table.columns:
        _add_column(grid, column)
    for row in table.rows:
        grid.add_row(*map(_cell, row, table.columns))
    return grid


def _add_column(grid: Grid, column: Column) -> None:
    grid.add_column(
        column.heading,
        justify="right" if column.right else "left",
        no_wrap=not column.stretches,
        overflow="fold" if column.stretches and not column.one_line else "ellipsis",
    )


def _cell(cell: str, column: Column) -> Text:
    shown = escape(cell)
    # rich cuts what has no place to break; without spaces a cell has none.
    return Text(shown.replace(" ", NO_BREAK) if column.one_line else shown, style=WORDS.get(cell, ""))


def _notes(notes: Notes) -> Grid:
    grid = Grid.grid(padding=(0, 1, 0, 0))
    grid.add_column(style=NAME)
    grid.add_column(overflow="fold")
    for sentence in notes.sentences:
        grid.add_row("-", Text(escape(sentence)))
    return grid
