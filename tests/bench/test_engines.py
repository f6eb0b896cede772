"""The table of engines: what was measured is in it, and what was not is left empty."""

from __future__ import annotations

from pathlib import Path

import pytest

import engines
from detection.cases import Case, Truth
from detection.scoring import Judged, judge
from detection.watching import Outcome
from overhead import Row
from pairing.estimates import Estimate

TRUTH = Truth("handles", (), ("file",), ("OPEN",), ("app.py:serve",), 20.0)
LEAKY, HEALTHY = (
    Case(name, "app", engines.HERE / "app.py", "3.11", truth=truth)
    for name, truth in (("leaky", TRUTH), ("healthy", None))
)
FINDING = {
    "kind": "handles",
    "confidence": 0.75,
    "type": "file",
    "holder": "",
    "site": [],
    "detected_after_s": 20.0,
}


def judged(*findings: dict[str, object]) -> list[Judged]:
    cost = {"target_slowdown_pct": 0.25, "longest_pause_ms": 1.5}
    outcomes = [
        Outcome(one, 45.0, 0, found, cost) for one, found in (("leaky", list(findings)), ("healthy", []))
    ]
    return judge([LEAKY, HEALTHY], outcomes)


def row_of(page: list[str], name: str) -> list[str]:
    return next(line for line in page if line.startswith(f"| {name} |")).strip("| ").split(" | ")


def test_what_was_found_and_what_it_cost() -> None:
    page = list(engines.page([engines.Engine("proc", judged(FINDING))]))
    row = row_of(page, "proc")
    assert row[1] == "2"
    assert row[2].endswith("1 of 1")
    assert row[3].endswith("1 of 1")
    assert row[4:7] == ["0 of 1", "20.0", "0 in 1 programs"]
    assert row[7:] == ["0.25", "1.5"]


def test_what_was_not_measured_is_empty() -> None:
    page = list(engines.page([engines.Engine("bcc", [])]))
    assert next(line for line in page if line.startswith("| bcc |")).count("|  ") == len(engines.HEAD) - 1


def test_what_is_said_by_hand_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "NOTES", tmp_path / "notes.md")
    (tmp_path / "notes.md").write_text("On a busy machine.\n")
    assert "On a busy machine.\n" in list(engines.page([]))


def test_what_was_measured_beside_a_twin_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "KEPT", tmp_path)
    found = Row("memprobe", slowdown=Estimate(0.5, 0.2, 0.9), told_pct=0.4, tool_cpu_pct=3.0, pairs=16)
    monkeypatch.setattr(engines, "row", lambda *_: found)
    engines.costs("ptrace", 16)
    assert row_of(list(engines.costs_table()), "ptrace")[1:] == ["+0.50 (+0.20 … +0.90)", "0.40", "3.0", "16"]


def test_what_an_engine_missed_is_said() -> None:
    page = list(engines.page([engines.Engine("ptrace", judged())]))
    assert "- ptrace, leaky: missed" in page
