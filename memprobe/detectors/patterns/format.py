"""The files of patterns: TOML, checked key by key, so that a mistake is told with its line."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from memprobe.detectors.fixes import Cause
from memprobe.detectors.patterns.versions import BadVersion, clauses, key
from memprobe.vocab.finding import Kind

CPYTHON = "cpython"
"""The package whose version is that of the interpreter."""

LONGEST, MOST_GLOBS, MOST_STARS = 600, 40, 8
_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,79}")
_POSITION = re.compile(r"line ([0-9]+)")


class BadPattern(ValueError):
    """A file that is no file of patterns: where the mistake is, and what it is."""

    def __init__(self, line: int, place: str, fact: str) -> None:
        super().__init__(f"{line}: {place}: {fact}" if place else f"{line}: {fact}")
        self.line, self.place, self.fact = line, place, fact


@dataclass(frozen=True, slots=True)
class Match:
    """What a finding must look like, in every respect that is told; * stands for anything."""

    wanted: tuple[tuple[str, tuple[str, ...]], ...]
    """Respect, and what there may be."""

    @property
    def letters(self) -> int:
        """How much is told."""
        return sum(min(len(glob.replace("*", "")) for glob in globs) for _, globs in self.wanted)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A known leak, and what to do about it."""

    id: str
    title: str
    advice: str
    matches: tuple[Match, ...]
    """A finding that is like any of them is this leak."""

    source: str = ""
    package: str = ""
    """What must be loaded."""

    versions: tuple[str, ...] = ()
    """Ranges in which it has the bug, any of them; none: every version."""

    fixed: str = ""
    is_users: bool = False
    """Whether it is from the user's own folder: it comes before those of memprobe."""


RESPECTS = ("kind", "cause", "type", "holder", "site")


def parsed(text: str, *, is_users: bool = False) -> tuple[Pattern, ...]:
    """Return the patterns of a file; raises BadPattern."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = _POSITION.search(str(error))
        last = text.count("\n") + 1
        raise BadPattern(int(found[1]) if found else last, "", f"no TOML: {error}") from error
    return tuple(_Reader(text, is_users).patterns(document))


def written(pattern: Pattern) -> str:
    """Return a pattern as a file has it."""
    lines = ["[[pattern]]"]
    for name in ("id", "title", "package", "versions", "fixed", "advice", "source"):
        value = getattr(pattern, name)
        if value:
            lines.append(f"{name} = {_toml(value)}")
    for match in pattern.matches:
        lines += ["", "[[pattern.match]]", *(f"{name} = {_toml(globs)}" for name, globs in match.wanted)]
    return "\n".join(lines) + "\n"


def _toml(value: str | Sequence[str]) -> str:
    # What JSON escapes TOML reads in the same way.
    return json.dumps(value if isinstance(value, str) else list(value))


class _Reader:
    """Reads the patterns of one file."""

    def __init__(self, text: str, is_users: bool) -> None:
        self._lines = text.splitlines()
        self._is_users = is_users
        self._begin = 0
        """The line with which the pattern in hand begins."""

    def patterns(self, document: Mapping[str, Any]) -> Iterator[Pattern]:
        self._check_names(document, ("pattern",), "")
        tables = document.get("pattern", [])
        if not _is_tables(tables):
            raise self._bad("pattern", "write [[pattern]], once for each")
        begins = [number for number, line in enumerate(self._lines) if _heads(line, "pattern")]
        for number, table in enumerate(tables):
            self._begin = begins[number] if number < len(begins) else 0
            yield self._pattern(table)

    def _pattern(self, table: Mapping[str, Any]) -> Pattern:
        texts = ("id", "title", "advice", "source")
        self._check_names(table, (*texts, "package", "versions", "fixed", "match"), "")
        for name in ("id", "title", "advice", "match"):
            if name not in table:
                raise self._bad("", f"the pattern has no {name}")
        found = {name: self._text(table, name) for name in (*texts, "package", "fixed") if name in table}
        versions = self._texts(table, "versions", "") if "versions" in table else ()
        pattern = Pattern(**found, matches=self._matches(table), versions=versions, is_users=self._is_users)
        self._check(pattern)
        return pattern

    def _check(self, pattern: Pattern) -> None:
        if not _ID.fullmatch(pattern.id):
            raise self._bad("id", f"{pattern.id!r} must be small letters, digits and hyphens")
        if pattern.source and not pattern.source.startswith("https://"):
            raise self._bad("source", "it must be an address that begins with https://")
        if pattern.package != re.sub(r"[-_.]+", "-", pattern.package).lower():
            raise self._bad("package", "write its name in small letters, with - between the parts")
        if (pattern.versions or pattern.fixed) and not pattern.package:
            raise self._bad("", "versions and fixed say nothing without package")
        for name, texts, read in (
            ("versions", pattern.versions, clauses),
            ("fixed", (pattern.fixed,) if pattern.fixed else (), key),
        ):
            self._check_versions(name, texts, read)

    def _check_versions(self, name: str, texts: Sequence[str], read: Callable[[str], Any]) -> None:
        for text in texts:
            try:
                read(text)
            except BadVersion as error:
                raise self._bad(name, str(error)) from error

    def _matches(self, table: Mapping[str, Any]) -> tuple[Match, ...]:
        tables = table["match"]
        if not _is_tables(tables) or not tables:
            raise self._bad("match", "write [[pattern.match]], once for each way to look")
        return tuple(self._match(one) for one in tables)

    def _match(self, table: Mapping[str, Any]) -> Match:
        self._check_names(table, RESPECTS, "match.")
        wanted = tuple((name, self._texts(table, name, "match.")) for name in RESPECTS if name in table)
        if not {"type", "holder", "site", "cause"} & table.keys():
            raise self._bad("match", "say at least one of type, holder, site and cause")
        for name, values in wanted:
            self._check_respect(name, values)
        return Match(
            tuple(
                (name, tuple(re.sub(r"\[[^\[\]]*\]", "[]", one) for one in values)) for name, values in wanted
            )
        )

    def _check_respect(self, name: str, values: Sequence[str]) -> None:
        choices = {"kind": [one.value for one in Kind], "cause": [one.value for one in Cause]}.get(name)
        for value in values:
            if choices is not None and value not in choices:
                raise self._bad(f"match.{name}", f"{value!r} is none; {_nearest(value, choices)}")
            if choices is None and not value.strip("*"):
                raise self._bad(f"match.{name}", f"{value!r} says nothing")
            if value.count("*") > MOST_STARS:
                raise self._bad(f"match.{name}", f"{value!r} has more than {MOST_STARS} *")
            if name == "site" and value.count(":") != 1:
                raise self._bad("match.site", f"{value!r} must be module:function")

    def _check_names(self, table: Mapping[str, Any], allowed: Sequence[str], prefix: str) -> None:
        for name in table:
            if name not in allowed:
                raise self._bad(f"{prefix}{name}", f"there is no such key; {_nearest(name, allowed)}")

    def _text(self, table: Mapping[str, Any], name: str, prefix: str = "") -> str:
        return self._checked(table[name], f"{prefix}{name}")

    def _texts(self, table: Mapping[str, Any], name: str, prefix: str) -> tuple[str, ...]:
        value = table[name]
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not 0 < len(values) <= MOST_GLOBS:
            raise self._bad(f"{prefix}{name}", f"it must be a text, or a list of up to {MOST_GLOBS}")
        return tuple(self._checked(one, f"{prefix}{name}") for one in values)

    def _checked(self, value: Any, place: str) -> str:
        if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= LONGEST:
            raise self._bad(place, f"it must be a text of one line, of up to {LONGEST} letters")
        return value

    def _bad(self, place: str, fact: str) -> BadPattern:
        """Return the error, with the line of the key that it is about."""
        last = place.rpartition(".")[2]
        key_line = re.compile(rf"\s*\[*\s*(?:pattern\.)?[\"']?{re.escape(last)}[\"']?\s*[=.\]]")
        for number, line in enumerate(self._lines[self._begin :], self._begin + 1):
            if last and key_line.match(line):
                return BadPattern(number, place, fact)
        return BadPattern(self._begin + 1, place, fact)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _heads(line: str, name: str) -> bool:
    return re.match(rf"\s*\[\[\s*{name}\s*\]\]", line) is not None


def _nearest(name: str, choices: Sequence[str]) -> str:
    close = get_close_matches(name, choices, 1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(choices)}"
