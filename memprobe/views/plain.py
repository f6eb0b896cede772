"""Paint a page as plain text: no colour, no boxes, one fact a line, ready for grep."""

from __future__ import annotations

from collections.abc import Iterator

from memprobe.views.escaping import cells, escape
from memprobe.views.page import Column, Facts, Notes, Page, Section, Table

GAP = "  "


def paint(page: Page) -> str:
    """The page as text that ends in a newline."""
    lines = [escape(page.verdict)]
    for section in page.sections:
        lines += ["", *_section(section)]
    return "\n".join(lines) + "\n"


def _section(section: Section) -> Iterator[str]:
    if section.title:
        yield f"{escape(section.title)}:"
    for block in section.blocks:
        yield from _block(block)


def _block(block: Facts | Table | Notes) -> Iterator[str]:
    match block:
        case Facts():
            yield from _facts(block)
        case Table():
            yield from _table(block)
        case Notes():
            yield from (f"{GAP}{escape(sentence)}" for sentence in block.sentences)


def _facts(facts: Facts) -> Iterator[str]:
    pairs = [(escape(name), escape(value)) for name, value in facts.pairs]
    width = max((cells(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        yield f"{GAP}{name}{' ' * (width - cells(name))}{GAP}{value}".rstrip()


def _table(table: Table) -> Iterator[str]:
    grid = [tuple(column.heading for column in table.columns)]
    grid += [tuple(escape(cell) for cell in row) for row in table.rows]
    widths = [max(cells(row[index]) for row in grid) for index in range(len(table.columns))]
    for row in grid:
        yield (GAP + GAP.join(map(_pad, row, widths, table.columns))).rstrip()


def _pad(cell: str, width: int, column: Column) -> str:
    blank = " " * (width - cells(cell))
    return blank + cell if column.right else cell + blank
