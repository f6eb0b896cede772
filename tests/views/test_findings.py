"""Findings on the page and in the live view."""

from __future__ import annotations

import io
from typing import Any

import pytest

from memprobe.views import plain, status_line
from memprobe.views.escaping import cells
from memprobe.views.findings import findings_sections, one_line, summary
from memprobe.views.live import LiveLine
from memprobe.views.page import Page

LEAK: dict[str, Any] = {
    "id": "caches-0123abcd",
    "kind": "caches",
    "title": "app.CACHE has 3,050 entries, 50.0 more every second",
    "confidence": 0.934,
    "severity": "warning",
    "exhausts_in_s": 7200.0,
    "limit": "memory",
    "count": 3050,
    "added": 2950,
    "count_per_s": 50.0,
    "bytes": 3 << 20,
    "bytes_per_s": 1000.0,
    "cost_usd_per_month": 0.22,
    "type": "app.Session",
    "holder": "app.CACHE",
    "site": [{"function": "remember", "file": "/srv/app.py", "line": 31}],
    "age_s": None,
    "detected_after_s": 17.0,
    "evidence": ["first", "second", "third", "fourth"],
    "suggested_fix": "Limit app.CACHE.",
    "limits": [],
    "known": None,
}
SUSPECT = LEAK | {"id": "tasks-1", "kind": "tasks", "confidence": 0.3, "title": "tasks wait", "holder": ""}
UNMEASURED = LEAK | dict.fromkeys(
    ("exhausts_in_s", "limit", "count", "added", "count_per_s", "bytes", "bytes_per_s", "cost_usd_per_month")
)


def shown(*findings: dict[str, Any]) -> str:
    return plain.paint(Page(summary(findings), tuple(findings_sections(findings))))


def test_a_finding_says_what_how_fast_who_where_how_sure_and_what_to_do() -> None:
    text = shown(LEAK, SUSPECT)
    for part in (
        "1 leak: caches (93 %)",
        "1. caches: app.CACHE has 3,050 entries, 50.0 more every second",
        "3,050 x app.Session, +2,950 since the attach, +50.0 a second, 3.0 MB, 3.4 MB an hour",
        "remember /srv/app.py:31",
        "memory used up in 2 h 0 min: warning",
        "93 %, found after 17 s [caches-0123abcd]",
        "Limit app.CACHE.",
        "suspects, not sure yet",
        "30 % tasks: tasks wait; remember /srv/app.py:31 [tasks-1]",
    ):
        assert part in text
    assert "fourth" not in text
    assert len(text.splitlines()) < 24


def test_what_was_not_measured_is_left_out() -> None:
    text = shown(UNMEASURED)
    assert "None" not in text
    assert "used up" not in text


def test_many_findings_have_a_line_each() -> None:
    text = shown(*(LEAK | {"id": f"caches-{number}"} for number in range(10)))
    assert text.startswith("10 leaks: caches (93 %), caches (93 %), caches (93 %), caches (93 %), ...\n")
    assert text.count("Limit app.CACHE.") == 3
    assert text.count("93 % caches") == 7


def test_without_findings_that_is_said() -> None:
    assert summary([]) == "no leak found"
    assert summary([SUSPECT]) == "no leak found, 1 suspect"


def test_a_hostile_title_stays_on_its_line() -> None:
    hostile = LEAK | {"title": "a\x1b[2J\nb", "holder": "x\u202ey"}
    assert "\x1b" not in shown(hostile)
    assert "\u202e" not in shown(hostile)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_finding_is_announced_once_when_it_is_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    rest = {"window": {"duration_s": 12.0}, "memory": {"rss_mb": 40.0}, "process": {"fds": 3}}
    live = LiveLine()
    for findings in ([SUSPECT], [SUSPECT, LEAK], [LEAK]):
        live.show({**rest, "handles": [], "growth": [], "findings": findings})
    assert terminal.getvalue().count(f"17 s {one_line(LEAK)}\n") == 1
    assert "tasks wait" not in terminal.getvalue()


def test_a_long_name_is_cut_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    def count(text: str) -> int:
        counted.append(len(text))
        return cells(text)

    monkeypatch.setattr(status_line, "cells", count)
    assert cells(status_line.fitted("\u00e9\u4e2d" * 10_000, 80)) == 79
    assert max(counted) <= 80


KNOWN: dict[str, Any] = {
    "pattern": "shop-orders",
    "title": "orders stay in the shop",
    "advice": "Upgrade shop to 1.4.",
    "source": "https://example.org/1",
    "package": "shop",
    "version": "1.3",
    "fixed": "1.4",
}


def test_a_known_leak_says_whose_it_is_what_to_do_and_where_it_is_told() -> None:
    text = shown(LEAK | {"known": KNOWN})
    assert "shop 1.3 (fixed in 1.4): orders stay in the shop [shop-orders]" in text
    assert "Upgrade shop to 1.4." in text
    assert "https://example.org/1" in text
    assert "Limit app.CACHE." not in text


def test_what_is_not_known_of_a_known_leak_is_left_out() -> None:
    text = shown(LEAK | {"known": KNOWN | {"version": None, "fixed": "", "source": ""}})
    assert "shop: orders stay" in text
    assert "see" not in text
    assert "known    orders stay" in shown(LEAK | {"known": KNOWN | {"package": ""}})
