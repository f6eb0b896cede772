"""Versions of packages and ranges of them, as far as PEP 440 orders releases."""

from __future__ import annotations

import re
from functools import lru_cache

_VERSION = re.compile(
    r"v?(?:(?P<epoch>[0-9]{1,4})!)?(?P<release>[0-9]{1,9}(?:\.[0-9]{1,9}){0,9})"
    r"(?:[-_.]?(?P<phase>a|alpha|b|beta|c|rc|pre|preview)[-_.]?(?P<number>[0-9]{0,9}))?"
    r"(?P<post>[-_.]?(?:post|rev|r)[-_.]?[0-9]{0,9}|-[0-9]{1,9})?"
    r"(?P<dev>[-_.]?dev[-_.]?[0-9]{0,9})?(?:\+[a-z0-9._-]*)?",
    re.IGNORECASE | re.ASCII,  # else K and I have letters beside them that no version has
)
_CLAUSE = re.compile(r"(?P<sign>~=|<=|>=|==|!=|<|>)\s*(?P<version>\S+?)(?P<any>\.\*)?")
_PHASES = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}
NEVER, FINAL = -1, 3
NO_DEV = 1 << 30

Key = tuple[int, tuple[int, ...], int, int, int, int]
"""What orders versions."""

Clause = tuple[str, Key, int]
"""A sign, what it compares with, and of how many numbers only the beginning counts (0: of all)."""


class BadVersion(ValueError):
    """A text that is no version, or no range; it says what is wrong."""


def key(text: str) -> Key:
    """Return what orders a version among others; raises BadVersion."""
    match = _matched(text)
    release = [int(part) for part in match["release"].split(".")]
    while release[1:] and release[-1] == 0:
        release.pop()
    phase = _PHASES[match["phase"].lower()] if match["phase"] else FINAL
    only_dev = phase == FINAL and match["dev"] is not None and match["post"] is None
    post = _digits(match["post"]) + 1 if match["post"] else 0
    dev = _digits(match["dev"]) if match["dev"] else NO_DEV
    return (
        int(match["epoch"] or 0),
        tuple(release),
        NEVER if only_dev else phase,
        int(match["number"] or 0) if match["phase"] else 0,
        post,
        dev,
    )


@lru_cache(4096)
def clauses(text: str) -> tuple[Clause, ...]:
    """Return what a range such as ">=3.10, <3.12.3" asks for, all of it together; raises BadVersion."""
    found = []
    for part in text.split(","):
        match = _CLAUSE.fullmatch(part.strip())
        if match is None:
            raise BadVersion(f"{part.strip()!r} is no range such as >=1.2 or <2")
        found.append((match["sign"], key(match["version"]), _numbers(match)))
    return tuple(found)


def _numbers(clause: re.Match[str]) -> int:
    """Return of how many numbers only the beginning counts: of 1.4 in ==1.4.* two, in ~=1.4 one."""
    version = _matched(clause["version"])
    count = version["release"].count(".") + 1
    if clause["any"]:
        if clause["sign"] not in ("==", "!=") or version.end("release") != version.end():
            raise BadVersion(f"{clause[0]!r} is no range: .* is for numbers behind == or !=")
        return count
    if clause["sign"] == "~=" and count == 1:
        raise BadVersion(f"{clause[0]!r} is no range: write ~=1.4 or ~=1.4.2")
    return count - 1 if clause["sign"] == "~=" else 0


def is_within(version: str, text: str) -> bool:
    """Tell whether a version is in a range; one that cannot be understood is in none."""
    try:
        wanted, has = clauses(text), key(version)
    except BadVersion:
        return False
    return all(_holds(clause, has) for clause in wanted)


def _holds(clause: Clause, has: Key) -> bool:
    sign, other, numbers = clause
    if numbers:
        begins_so = _begins_so(has, other, numbers)
        return not begins_so if sign == "!=" else begins_so and (sign == "==" or has >= other)
    match sign:
        case "<":
            return _is_before(has, other)
        case "<=":
            return has <= other
        case ">":
            return _is_behind(has, other)
        case ">=":
            return has >= other
        case "==":
            return has == other
        case _:
            return has != other


def _begins_so(has: Key, other: Key, numbers: int) -> bool:
    """Tell whether the first numbers of two releases are the same; those that are not written are 0."""
    one, two = ((epoch, (*release, *[0] * numbers)[:numbers]) for epoch, release, *_ in (has, other))
    return one == two


def _is_before(has: Key, other: Key) -> bool:
    """Tell it as PEP 440 does: 2.0rc1 is in <2.0rc2, but not in <2.0."""
    epoch, release, phase, _, post, dev = other
    if phase != FINAL or dev != NO_DEV:
        return has < other
    return has < (epoch, release, FINAL if post else NEVER, 0, post, 0)  # what comes before its first one


def _is_behind(has: Key, other: Key) -> bool:
    """Tell it as PEP 440 does: 2.0.post2 is in >2.0.post1, but not in >2.0."""
    is_the_whole = other[4] == 0 and other[5] == NO_DEV
    return has > other and not (is_the_whole and has[:4] == other[:4])


def _matched(text: str) -> re.Match[str]:
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        raise BadVersion(f"{text!r} is no version")
    return match


def _digits(text: str) -> int:
    digits = re.sub(r"[^0-9]", "", text)
    return int(digits) if digits else 0
