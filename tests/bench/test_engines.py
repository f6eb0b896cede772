"""The table of engines: what was measured is in it, and what was not is left empty."""

from __future__ import annotations

import engines
from detection.cases import Case, Truth
from detection.scoring import Judged, judge
from detection.watching import Outcome

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
    assert row[1].endswith("1 of 1")
    assert row[2].endswith("1 of 1")
    assert row[3:6] == ["0 of 1", "20.0", "0 in 1 programs"]
    assert row[6:] == ["0.25", "1.5"]


def test_what_was_not_measured_is_empty() -> None:
    page = list(engines.page([engines.Engine("bcc", [])]))
    assert next(line for line in page if line.startswith("| bcc |")).count("|  ") == len(engines.HEAD) - 1


def test_what_an_engine_missed_is_said() -> None:
    page = list(engines.page([engines.Engine("ptrace", judged())]))
    assert "- ptrace, leaky: missed" in page
