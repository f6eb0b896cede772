"""Which program a process runs, by a name that is the same in every run of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memprobe.vocab.digest import short_digest

NAME_LIMIT = 300

_PYTHON = re.compile(r"(?:.*/)?python[0-9.]*(?:-dbg)?$")
_TAKES_VALUE = ("-W", "-X", "--check-hash-based-pycs")
_DIGITS = re.compile(r"[0-9]+")


def program_of(command: Sequence[str], folder: str = "") -> str:
    """Return the script or module, and a short hash of the other arguments.

    Numbers in the arguments do not count: a service on another port is the same program. The arguments
    themselves are not in the name, for they may be secret. `folder` is the working directory.
    """
    name, rest = _name(list(command), folder)
    told = "\0".join(_DIGITS.sub("0", word) for word in rest)
    mark = f" #{short_digest(told)[:6]}" if rest else ""
    return f"{name[-NAME_LIMIT:]}{mark}"


def _name(words: list[str], folder: str) -> tuple[str, list[str]]:
    if not words or not _PYTHON.match(words[0]):
        return _titled(words[0]) if words else "unknown", words[1:]
    place = 1
    while place < len(words) and words[place].startswith("-"):
        word = words[place]
        if word.startswith("-") and not word.startswith("--") and word[-1] in "mc" and place + 1 < len(words):
            return _given(word[-1], words[place + 1 :])
        place += 2 if word in _TAKES_VALUE else 1
    if place >= len(words):
        return "python", []
    script = words[place]
    return (script if script.startswith("/") or not folder else f"{folder}/{script}"), words[place + 1 :]


def _titled(word: str) -> str:
    """Return what is no Python: a program, or what one calls itself, with ports and numbers of workers."""
    return _DIGITS.sub("0", word) if " " in word else word


def _given(how: str, words: list[str]) -> tuple[str, list[str]]:
    """What stands on the command line itself is told by its hash, a module by its name."""
    return ("python -c", words) if how == "c" else (f"python -m {words[0]}", words[1:])
