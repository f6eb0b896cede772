"""Which known leak a finding is: a pure function of the finding, of facts of the target, and of patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from memprobe.detectors.patterns.format import CPYTHON, Match, Pattern
from memprobe.detectors.patterns.versions import is_within
from memprobe.vocab.finding import Finding, Known, Verdict
from memprobe.vocab.stack import Frame

FRAMES, LETTERS = 64, 1000
"""So much of a stack and of a name is looked at: names of a target may be of any length."""

_KEYS = re.compile(r"\[[^\[\]]*\]")
_ROOT = re.compile(r".*(?:/(?:site|dist)-packages/|/lib(?:64)?/python3(?:\.\d+)?/|/python3\d+\.zip/)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a target beside its findings."""

    python: str = ""
    """The version of its CPython; "" if that is not known."""

    packages: Mapping[str, str] = field(default_factory=dict)
    """What it has loaded: versions by normalised name, "" where the version is not known."""

    def version(self, package: str) -> str | None:
        """Return which version of a package is loaded; None if it is not."""
        return self.python if package == CPYTHON else self.packages.get(package)


def with_known(verdict: Verdict, facts: Facts, patterns: Sequence[Pattern]) -> Verdict:
    """Return a verdict whose findings say which known leak they are."""
    likely = [pattern for pattern in patterns if _is_affected(pattern, facts)]
    findings = tuple(replace(one, known=known(one, facts, likely)) for one in verdict.findings)
    return replace(verdict, findings=findings)


def known(finding: Finding, facts: Facts, patterns: Iterable[Pattern]) -> Known | None:
    """Return the known leak that a finding is: of several patterns that match the one that says most."""
    texts = _texts(finding)
    matching = [
        (weight, pattern)
        for pattern in patterns
        if _is_affected(pattern, facts) and (weight := _weight(pattern, finding, texts)) is not None
    ]
    if not matching:
        return None
    _, pattern = max(matching, key=lambda one: (one[0], one[1].id))
    version = facts.version(pattern.package) if pattern.package else None
    return Known(
        pattern.id,
        pattern.title,
        pattern.advice,
        pattern.source,
        pattern.package,
        version or None,
        pattern.fixed,
    )


def _is_affected(pattern: Pattern, facts: Facts) -> bool:
    """Tell whether its package is loaded in a version that has the bug; an unknown version may have it."""
    version = facts.version(pattern.package) if pattern.package else ""
    if version is None:
        return False
    return not version or not pattern.versions or any(is_within(version, one) for one in pattern.versions)


def _weight(
    pattern: Pattern, finding: Finding, texts: Mapping[str, str]
) -> tuple[bool, bool, bool, int] | None:
    """Return how much a pattern says of a finding; None if it does not match."""
    said = [match.letters for match in pattern.matches if _matches(match, finding, texts)]
    if not said:
        return None
    return pattern.is_users, bool(pattern.versions), bool(pattern.package), max(said)


def _texts(finding: Finding) -> Mapping[str, str]:
    """Return what of a finding is compared as a text."""
    return {
        "kind": finding.kind.value,
        "cause": finding.cause,
        "type": keyless(finding.type),
        "holder": keyless(finding.holder),
    }


def _matches(match: Match, finding: Finding, texts: Mapping[str, str]) -> bool:
    return all(
        _is_made_at(globs, (*finding.below[:FRAMES], *finding.site))
        if name == "site"
        else any(fits(glob, texts[name]) for glob in globs)
        for name, globs in match.wanted
    )


def _is_made_at(globs: Sequence[str], site: Sequence[Frame]) -> bool:
    """Tell whether a frame of a stack is what a pattern has."""
    return any(_is_at(glob, frame) for frame in site[: 2 * FRAMES] for glob in globs)


def _is_at(glob: str, frame: Frame) -> bool:
    """Before 3.11 a frame has the last part of the name of its function only."""
    file, _, function = glob.partition(":")
    if "." not in frame.function:
        function = function.rpartition(".")[2]
    return fits(file, module(frame.file)) and fits(function, frame.function[:LETTERS])


def keyless(path: str) -> str:
    """Return a path without its keys and indices, as patterns have it."""
    return _KEYS.sub("[]", path[:LETTERS])


@lru_cache(4096)
def module(file: str) -> str:
    """Return the module that is in a file: "aiohttp.cookiejar"; of a program's own file its last part."""
    end = file[-LETTERS:]
    root = _ROOT.match(end)
    name = end[root.end() :] if root else file.rpartition("/")[2]
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def fits(glob: str, text: str) -> bool:
    """Tell whether a text is what a pattern has, in which * stands for anything."""
    head, *rest = glob.split("*")
    if not rest:
        return text == glob
    *middle, tail = rest
    place = len(head)
    if not text.startswith(head):
        return False
    for part in middle:
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return text.endswith(tail) and len(text) - len(tail) >= place
