"""How findings are compared with the truth, and what becomes of the comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detection import calibrating, scoring, tables
from detection.cases import Case, Truth
from detection.intervals import clopper_pearson, poisson_upper
from detection.matching import Verdict, holder_is_right, judged, names_of, site_is_right
from detection.watching import Outcome, read

TRUTH = Truth("listeners", (), ("method", "Widget"), ("Bus._handlers",), ("app.py:subscribe",), 20.0)
LEAKY = Case("leaky", "leaky", Path("leaky.py"), "3.11", truth=TRUTH)
HEALTHY = Case("healthy", "leaky", Path("leaky.py"), "3.11")


def finding(**fields: Any) -> dict[str, Any]:
    frame = {"function": "Bus.subscribe", "file": "/srv/app.py", "line": 12}
    usual = {
        "kind": "listeners",
        "confidence": 0.9,
        "type": "method",
        "holder": "app.Bus._handlers[…]",
        "site": [frame],
        "detected_after_s": 12.0,
        "evidence": [],
    }
    return {**usual, **fields}


def run(case: Case, *findings: dict[str, Any], problem: str = "") -> scoring.Judged:
    outcome = Outcome(case.name, 45.0, 0, list(findings), problem=problem)
    (one,) = scoring.judge([LEAKY, HEALTHY], [outcome])
    return one


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("app.Bus._handlers", True),
        ("app.Bus._handlers[…][…]", True),
        ("<thread 3 'worker'> app:main local Bus._handlers{…}", True),
        ("app.Bus._handlers.more", False),
        ("app.Bus._handlers2", False),
        ("app.Omnibus._handlers", False),
        ("_handlers", False),
        ("", False),
    ],
)
def test_a_holder_ends_with_the_names_of_the_truth(path: str, right: bool) -> None:
    assert holder_is_right(finding(holder=path), TRUTH) == right


def test_what_nobody_holds_must_be_named_by_its_type() -> None:
    nobody = replace(TRUTH, holders=("<nothing>",))
    assert holder_is_right(finding(holder="<nothing>", type="app.Widget"), nobody)
    assert not holder_is_right(finding(holder="<nothing>", type="dict"), nobody)
    assert not holder_is_right(finding(holder="", type="app.Widget"), nobody)
    assert names_of("<thread 3 'a.b'> app:wait local mine[…].x2") == ["app", "wait", "mine", "x2"]


def test_a_site_is_right_by_file_and_function() -> None:
    other = {"function": "put", "file": "/usr/lib/queue.py", "line": 1}
    right = {"function": "subscribe", "file": "C/app.py", "line": 3}
    assert site_is_right(finding(site=[other, other, right]), TRUTH)
    assert not site_is_right(finding(site=[other, other, other, right]), TRUTH)
    assert not site_is_right(finding(site=[other, right]), TRUTH, nearest=1)
    assert not site_is_right(finding(site=[{**right, "file": "/x/other_app.py"}]), TRUTH)
    assert not site_is_right(finding(site=[{**right, "function": "resubscribe"}]), TRUTH)


def test_what_a_finding_is_worth() -> None:
    right, elsewhere = finding(), finding(holder="app.OTHER", site=[])
    called_otherwise = finding(kind="caches")
    type_alone = finding(holder="", site=[])
    assert judged([right, elsewhere, called_otherwise, type_alone], TRUTH) == [
        Verdict.TRUE,
        Verdict.FALSE,
        Verdict.FALSE,
        Verdict.REPEATED,
    ]
    assert judged([type_alone], TRUTH) == [Verdict.TRUE]
    assert judged([finding(type="Gadget", holder="", site=[])], TRUTH) == [Verdict.FALSE]
    assert judged([right], None) == [Verdict.FALSE]
    assert judged([called_otherwise], replace(TRUTH, also_kinds=("caches",))) == [Verdict.TRUE]


def test_only_what_is_sure_counts() -> None:
    unsure = run(LEAKY, finding(confidence=0.49))
    assert unsure.hit is None
    assert unsure.named_kind == "nothing"
    later = run(LEAKY, finding(confidence=0.3), finding(confidence=0.6))
    assert later.hit is not None
    assert later.hit["confidence"] == 0.6
    assert later.repeated == 0


def test_the_score() -> None:
    elsewhere = finding(holder="app.OTHER", site=[])
    runs = [
        run(LEAKY, finding(), finding(detected_after_s=20.0)),
        run(LEAKY, elsewhere),
        run(LEAKY, finding(kind="caches")),
        run(HEALTHY, elsewhere, finding(confidence=0.2)),
        run(HEALTHY, finding(confidence=0.2, evidence=["Taken back 30 s after the attach, flushed: fell."])),
        run(HEALTHY, problem="ended"),
    ]
    score = scoring.score(runs)
    assert (score.leaky, score.found, score.repeated, score.place_first) == (3, 1, 1, 1)
    assert (score.seconds, score.fast_seconds, score.units) == (12.0, 12.0, 240.0)
    assert scoring.precision(runs) == (1, 4)
    assert scoring.precision(runs, "caches") == (0, 1)
    assert scoring.alarms(runs) == scoring.Alarms(2, 90 / 3600, 1, 1, 1)
    table = scoring.confusion(runs)
    assert table["listeners"] == {"listeners": 2, "caches": 1}
    assert table["none"] == {"listeners": 1, "nothing": 2}
    bins = {one.low: (one.findings, one.true) for one in scoring.calibration(runs, (0.0, 0.5, 0.9, 1.0))}
    assert bins == {0.0: (2, 0), 0.9: (4, 1)}
    page = "\n".join(tables.page(runs))
    assert "0.333 (0.008 to 0.906), 1 of 3" in page
    assert "1 in 0.03 h" in page
    assert "- leaky: missed; nearest: 0.90 listeners" in page


def test_a_file_of_outcomes_is_judged_again(tmp_path: Path) -> None:
    first, again = Outcome("leaky", 45.0), Outcome("leaky", 45.0, 0, [finding()], {"budget_pct": 1.0})
    file = tmp_path / "outcomes.jsonl"
    file.write_text(f"{first.as_json()}\n{again.as_json()}\n")
    assert read(file) == [again]
    assert scoring.judge([LEAKY], [replace(again, missing=True)]) == []


@pytest.mark.parametrize(
    ("hits", "tries", "low", "high"),
    [(0, 10, 0.0, 0.3085), (10, 10, 0.6915, 1.0), (19, 20, 0.7513, 0.9987), (149, 149, 0.9755, 1.0)],
)
def test_the_exact_interval_of_a_share(hits: int, tries: int, low: float, high: float) -> None:
    assert clopper_pearson(hits, tries) == pytest.approx((low, high), abs=1e-4)


def test_the_bound_of_a_rate() -> None:
    assert poisson_upper(0) == pytest.approx(2.9957, abs=1e-4)
    assert poisson_upper(5) == pytest.approx(10.5130, abs=1e-4)


def test_confidence_is_fitted_to_the_other_programs() -> None:
    """Eight programs say 0.6 of what is right nine times in ten; the ninth says 0.9, and is never right."""
    told = [calibrating.Told(0.6, place % 10 > 0, f"program {place % 8}") for place in range(80)]
    assert calibrating.factor_of(told) > 2.0
    assert calibrating.factor_of([calibrating.Told(0.9, False, "ninth")] * 20 + told) < 1.0
    assert calibrating.factor_of([]) == pytest.approx(1.0)

    def judged_run(name: str, confidence: float, holder: str) -> scoring.Judged:
        case = replace(LEAKY, name=name, group=name)
        outcome = Outcome(name, 45.0, 0, [finding(confidence=confidence, holder=holder, site=[])])
        return scoring.judge([case], [outcome])[0]

    others = [judged_run(f"program {number}", 0.6, "app.Bus._handlers") for number in range(8)]
    ninth = judged_run("ninth", 0.9, "app.Other.thing")
    fit = calibrating.fit([*others, ninth], (0.0, 1.0))
    assert fit is not None
    # The ninth is judged by the others, who know of no mistake; they are judged knowing of its one.
    assert fit.lowest < 1.0 < fit.highest
    assert (fit.bins[0].findings, fit.bins[0].true) == (9, 8)
    assert calibrating.fit([ninth], (0.0, 1.0)) is None
