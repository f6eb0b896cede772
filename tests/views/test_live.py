"""The line of a run that goes on."""

from __future__ import annotations

from typing import Any

from memprobe.views.live import line
from memprobe.views.places import place
from memprobe.views.status_line import fitted

STACK = [
    {"function": "socketpair", "file": "/usr/lib/python3.11/socket.py", "line": 608},
    {"function": "call\x1b[2J", "file": "/srv/app.py", "line": 7},
]
DOCUMENT: dict[str, Any] = {
    "window": {"duration_s": 12.0},
    "memory": {"rss_mb": 40.0},
    "process": {"fds": None},
    "handles": [{"kind": "socket", "open": 8, "site": STACK}],
    "growth": [],
}


def test_the_line_of_the_program_comes_before_that_of_the_library() -> None:
    assert place(STACK) == "call\x1b[2J /srv/app.py:7, by socketpair"
    assert place(STACK[:1]) == "socketpair /usr/lib/python3.11/socket.py:608"
    assert place([]) == "unknown"


def test_a_hostile_name_stays_on_the_line() -> None:
    assert "8 socket from call" in line(DOCUMENT)
    shown = fitted(line(DOCUMENT), 40)
    assert len(shown) == 40
    assert "\x1b" not in shown
    assert "unknown handles" in shown
