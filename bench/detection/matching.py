"""Whether a finding names the leak that is there.

A finding counts from a confidence of 0.5 on. It is *true* if

- its kind is the kind of the truth (or one that the truth calls no mistake), and
- it names the place: its holder is the one of the truth, or one of the three innermost lines of its site is
  in a function of the truth; or it names no holder and no site at all, but the type that leaks.

Everything else from 0.5 on is *false*: on a leaky program whatever names another place or another kind, on a
healthy program everything. A second finding about the same leak is *repeated*, and counts neither way: one
cause should be one finding, and the table says how often it is not.

A holder is right if it ends with the names of the truth: "app.Bus._handlers[…]" ends with "Bus._handlers".
Keys, and what is in angle brackets, are left out. Where nobody holds what leaks (garbage, references lost in
C) the truth says "<nothing>" or "<native code>": the finding must say the same, and name the type that leaks.
A site is right if its file and its function are; a function is compared by the last part of its qualified
name, which is all that versions before 3.11 know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from detection.cases import Truth

SURE = 0.5
NEAREST = 3
"""So many frames of a site, innermost first, are looked at."""

NOBODY = ("<nothing>", "<native code>")

_LEFT_OUT = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\{[^{}]*\}|\blocal\b")
_NAME = re.compile(r"\w+")


class Verdict(StrEnum):
    """What a finding is worth."""

    TRUE = "true"
    REPEATED = "repeated"
    FALSE = "false"


def names_of(path: str) -> list[str]:
    """The names on the way, without keys."""
    return _NAME.findall(_LEFT_OUT.sub(" ", path))


def holder_is_right(finding: Mapping[str, Any], truth: Truth) -> bool:
    """Whether it says who keeps the things alive."""
    return any(_holds(finding, wanted) for wanted in truth.holders) and (
        type_is_right(finding, truth) or not finding["holder"].startswith(NOBODY)
    )


def _holds(finding: Mapping[str, Any], wanted: str) -> bool:
    holder: str = finding["holder"]
    if wanted.startswith("<"):
        return holder.startswith(wanted)
    wanted_names = wanted.split(".")
    return names_of(holder)[-len(wanted_names) :] == wanted_names


def site_is_right(finding: Mapping[str, Any], truth: Truth, nearest: int = NEAREST) -> bool:
    """Whether one of the innermost lines is where it happens."""
    return any(_place(frame) in truth.sites for frame in finding["site"][:nearest])


def _place(frame: Mapping[str, Any]) -> str:
    return f"{PurePosixPath(frame['file']).name}:{frame['function'].rpartition('.')[2]}"


def type_is_right(finding: Mapping[str, Any], truth: Truth) -> bool:
    """Whether it says what piles up; "socket CLOSE_WAIT" and "socket" are both."""
    words = re.findall(r"[\w.<>]+", finding["type"])
    return any(word == wanted or word.endswith(f".{wanted}") for word in words for wanted in truth.what_leaks)


def kind_is_right(finding: Mapping[str, Any], truth: Truth) -> bool:
    """Whether it is the kind of the truth, or one that is no mistake."""
    return finding["kind"] in (truth.kind, *truth.also_kinds)


def place_is_right(finding: Mapping[str, Any], truth: Truth) -> bool:
    """Whether it is about this leak, whatever it calls it."""
    if holder_is_right(finding, truth) or site_is_right(finding, truth):
        return True
    return not finding["holder"] and not finding["site"] and type_is_right(finding, truth)


def judged(findings: Sequence[Mapping[str, Any]], truth: Truth | None) -> list[Verdict]:
    """What each finding is worth, whatever its confidence; they come in the order of the report."""
    verdicts: list[Verdict] = []
    for finding in findings:
        if truth is None or not (kind_is_right(finding, truth) and place_is_right(finding, truth)):
            verdicts.append(Verdict.FALSE)
        else:
            verdicts.append(Verdict.REPEATED if Verdict.TRUE in verdicts else Verdict.TRUE)
    return verdicts
