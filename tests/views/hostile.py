"""Names that a target might give to its threads, files and functions."""

from __future__ import annotations

HOSTILE = {
    "ansi": "\x1b[31mred\x1b[0m",
    "title": "\x1b]0;owned\x07",
    "c1 control": "\x9b31m",
    "carriage return": "fine\rgone",
    "newline": "one\ntwo",
    "line separator": "one\u2028two",
    "backspace": "abc\b\b\bxyz",
    "bidi override": "\u202egnp.exe",
    "bidi isolate": "\u2066abc\u2069",
    "zero width": "a\u200bb",
    "lone surrogate": "a\udc80b",
    "nul": "a\0b",
    "byte order mark": "\ufeffa",
}
