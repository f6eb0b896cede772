"""Every pattern of memprobe on findings of real runs: which it matches, and which it does not.

`known_leaks/*.json` was captured by capture_known_leaks.py. A pattern that names versions must not match
where the fixed release is loaded; every pattern must leave alone what was found in other programs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from detection.cases import Case, cases
from memprobe.detectors.patterns import Facts, Pattern, known
from memprobe.detectors.patterns.format import CPYTHON
from memprobe.detectors.patterns.library import built_in
from memprobe.target.packages import normalised
from memprobe.vocab.finding import Finding, Kind, Severity
from memprobe.vocab.stack import Frame

FOLDER = Path(__file__).resolve().parent / "known_leaks"
EXPECTED: dict[str, dict[str, list[str]]] = json.loads((FOLDER / "expected.json").read_text())
"""Pattern, and the captures in which a finding is `told` to be that known leak, and those in which it would
`also` be, if there was no pattern that says more; in all others none is."""

PATTERNS = {pattern.id: pattern for pattern in built_in()}


@dataclass(frozen=True)
class Capture:
    """What was found in a program."""

    name: str
    facts: Facts
    fixed: Facts | None
    """What the twin with the fixed release has loaded."""

    findings: tuple[Finding, ...]


@cache
def captures() -> dict[str, Capture]:
    files = sorted(path for path in FOLDER.glob("*.json") if path.name != "expected.json")
    return {path.stem: captured(path.stem, json.loads(path.read_text())) for path in files}


def captured(name: str, document: dict[str, Any]) -> Capture:
    fixed = document.get("fixed")
    findings = tuple(map(finding, document["findings"]))
    return Capture(name, facts(document), None if fixed is None else facts(fixed), findings)


def facts(document: dict[str, Any]) -> Facts:
    return Facts(document["python"], document["packages"])


def finding(row: dict[str, Any]) -> Finding:
    nothing: dict[str, Any] = dict.fromkeys(("count", "added", "count_per_s", "bytes", "bytes_per_s"))
    site, below = (tuple(Frame(**frame) for frame in row[name]) for name in ("site", "below"))
    texts = {name: row[name] for name in ("title", "type", "holder", "cause")}
    return Finding(
        id="",
        kind=Kind(row["kind"]),
        confidence=row["confidence"],
        severity=Severity.INFO,
        site=site,
        below=below,
        detected_after_s=0.0,
        **texts,
        **nothing,
    )


def told(capture: Capture, facts: Facts, patterns: tuple[Pattern, ...] = built_in()) -> set[str]:
    """The patterns that the findings of a capture are, under these facts."""
    found = (known(one, facts, patterns) for one in capture.findings)
    return {one.pattern for one in found if one is not None}


def test_every_pattern_was_captured() -> None:
    assert set(EXPECTED) == set(PATTERNS)
    assert all(where["told"] for where in EXPECTED.values())


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_it_matches_where_it_should(name: str) -> None:
    for capture in EXPECTED[name]["told"]:
        assert name in told(captures()[capture], captures()[capture].facts), capture


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_it_matches_nothing_else(name: str) -> None:
    """Alone, so that no better pattern is in its way."""
    pattern, seen = PATTERNS[name], 0
    for capture in captures().values():
        if capture.name not in (*EXPECTED[name]["told"], *EXPECTED[name]["also"]):
            assert name not in told(capture, as_if_loaded(pattern, capture), (pattern,)), capture.name
            seen += len(capture.findings)
    assert seen > 20


def as_if_loaded(pattern: Pattern, capture: Capture) -> Facts:
    """Facts by which only the looks of a finding can tell; unless it is the release alone that does."""
    tells = all({"holder", "site"} & dict(match.wanted).keys() for match in pattern.matches)
    return Facts("", {**capture.facts.packages, pattern.package: ""}) if tells else capture.facts


@pytest.mark.parametrize("name", sorted(one.id for one in PATTERNS.values() if one.versions))
def test_it_does_not_match_the_fixed_release(name: str) -> None:
    for capture in EXPECTED[name]["told"]:
        fixed = captures()[capture].fixed
        assert fixed is not None, capture
        assert name not in told(captures()[capture], fixed)


@pytest.mark.parametrize(
    "case", [one for one in cases() if one.is_real and one.truth], ids=lambda one: one.name
)
def test_every_case_of_the_corpus_gets_the_advice_of_its_package(case: Case) -> None:
    """As far as there is a pattern of its package."""
    capture = captures()[case.name]
    own = {normalised(text.partition("==")[0]) for text in case.requirements} or {CPYTHON}
    wanted = {name for name, where in EXPECTED.items() if case.name in where["told"]}
    assert bool(wanted) == bool(own & {pattern.package for pattern in PATTERNS.values()})
    assert {PATTERNS[name].package for name in wanted} <= own
    assert wanted == told(capture, capture.facts)
