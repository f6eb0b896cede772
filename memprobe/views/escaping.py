"""The one way by which strings of a target reach the operator's terminal."""

from __future__ import annotations

import unicodedata


def escape(text: str) -> str:
    r"""Make every character that is not plainly printable visible as an escape.

    Control characters, ANSI sequences, bidirectional overrides, zero-width and unassigned
    characters, lone surrogates and line separators all become `\x1b`, `\u202e` and so on: what
    remains occupies its place on one line and cannot move the cursor or reorder its neighbours.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _visible(character) for character in text)


def _visible(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def shorten(text: str, width: int) -> str:
    """Cut the middle out of a text that is longer than `width`; its ends say the most."""
    if len(text) <= width:
        return text
    if width < 4:
        return text[:width]
    head = (width - 1) // 3
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def cells(text: str) -> int:
    """How many columns of a terminal an escaped text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
