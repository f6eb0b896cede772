"""On which line of a TOML document a key stands: what the parser of the library does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Of a key: names of tables, and numbers of tables in an array."""

_PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[\[\]{}\n]",
    re.DOTALL,
)
"""All in which brackets and ends of lines do not count, and those themselves."""


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield the statements of a document, each with the line on which it begins."""
    line, begin, depth = 1, 0, 0
    for piece in _PIECE.finditer(text):
        if piece[0] in "[{":
            depth += 1
        elif piece[0] in "]}":
            depth -= 1
        elif piece[0] == "\n" and depth <= 0:
            statement = text[begin : piece.end()]
            yield line, statement
            line, begin, depth = line + statement.count("\n"), piece.end(), 0
    yield line, text[begin:]


def key_lines(text: str) -> dict[Path, int]:
    """Return the line of every key of a document that is whole."""
    lines: dict[Path, int] = {}
    table: Path = ()
    seen: dict[Path, int] = {}
    for line, statement in statements(text):
        parsed = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _table(parsed, seen)
            lines.setdefault(table, line)
        else:
            for path in _paths(parsed):
                lines.setdefault(table + path, line)
    return lines


def line_of(path: Path, lines: dict[Path, int]) -> int | None:
    """Return the line of a key, or of what it is in."""
    return next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)


def first_broken_line(text: str) -> int:
    """Return the line of the first statement that is none by itself; else the last line."""
    for line, statement in statements(text):
        try:
            tomllib.loads(statement)
        except (ValueError, RecursionError):
            return line
    return text.count("\n") + 1


def _table(parsed: dict[str, Any], seen: dict[Path, int]) -> Path:
    """Return the table that a header begins; those of an array are numbered."""
    path: Path = ()
    value: Any = parsed
    while isinstance(value, dict) and value:
        name, value = next(iter(value.items()))
        path += (name,)
        if isinstance(value, list):
            seen[path] = seen.get(path, -1) + 1
            value = value[0]
        if path in seen:
            path += (seen[path],)
    return path


def _paths(value: Any) -> Iterator[Path]:
    """Yield the path of everything that is in a value, its parts after itself."""
    if isinstance(value, dict):
        parts: list[tuple[str | int, Any]] = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    else:
        return
    for name, part in parts:
        yield (name,)
        yield from ((name, *path) for path in _paths(part))
