"""What a report consists of, before anyone decides how it looks.

A view builds a Page; `plain` and `terminal` paint it. Both pass every string through
`escaping.escape`, so a view need not think about hostile names.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with values, one pair a line."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of a table column and how its cells are set."""

    heading: str

    right: bool = False
    """Numbers stand on the right."""

    stretches: bool = False
    """Takes the room that is left, and is wrapped when there is too little."""

    one_line: bool = False
    """A cell is cut rather than wrapped: for tables that must fit one screen."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Notes:
    """Whole sentences, one after another; wrapped on a terminal, one a line in a pipe."""

    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of a page."""

    title: str
    blocks: tuple[Facts | Table | Notes, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A report: its verdict first, then the evidence."""

    verdict: str
    """The one line to read if only one is read."""

    sections: tuple[Section, ...] = field(default=())
