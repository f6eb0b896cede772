"""The page of an inspection, painted plainly and for a terminal, on made-up data."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from memprobe.target.inspection.document import FramePart, HandlesPart, Inspection, ThreadPart
from memprobe.views import plain, terminal
from memprobe.views.inspection import page
from views.hostile import HOSTILE
from views.made_up import INSPECTION, changed

BOXES = re.compile("[\u2500-\u257f|+]")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def text(inspection: Inspection, *, stacks: bool = True) -> str:
    return plain.paint(page(inspection, stacks=stacks))


def test_the_first_line_is_the_verdict() -> None:
    assert text(INSPECTION).splitlines()[0] == (
        "pid 4711 is CPython 3.11.7: up 2 h 3 min, 143.2 MB resident, 3 threads, 12 open handles"
    )


def test_plain_text_has_no_colour_and_no_boxes() -> None:
    shown = text(INSPECTION)
    assert "\x1b" not in shown
    assert not BOXES.search(shown)
    assert all(line == line.rstrip() for line in shown.splitlines())


def test_every_part_is_shown() -> None:
    shown = text(INSPECTION)
    for fact in (
        "python3 main.py --port '80 80'",
        "static, stripped",
        "build-id 0123abcd",
        "1 of 1 layout checks passed",
        "139.5 MB",
        "31 arenas",
        "512.0 MB (cgroup), 150.0 MB used",
        "garbage collector (on)",
        "tcp 10.0.0.1:80",
        "thread 4711 MainThread, holds the GIL",
        "thread 4712 pool-1, daemon",
        "/srv/app/worker.py:31",
        "the walk ended here",
        "stack not read",
        "Birth stacks of handles: tier 2 is needed.",
    ):
        assert fact in shown


def test_stacks_only_if_asked_for() -> None:
    shown = text(INSPECTION, stacks=False)
    assert "/srv/app/main.py" not in shown
    assert "worker.py:31" in shown


def test_what_was_not_measured_is_unknown_and_not_zero() -> None:
    shown = text(changed("memory", swap_mb=None))
    assert re.search(r"swapped out +unknown", shown)
    assert re.search(r"^ +2 +1 +10 +1 +unknown$", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("part", "values", "alarm"),
    [
        ("memory", {"limit_used_mb": 500.0}, "at 98 % of its memory limit"),
        ("process", {"fds": 1020}, "at 100 % of its file descriptor limit"),
    ],
)
def test_a_near_limit_is_in_the_verdict(part: str, values: dict[str, float], alarm: str) -> None:
    assert alarm in text(changed(part, **values)).splitlines()[0]


def test_a_collector_that_is_off_is_in_the_verdict() -> None:
    assert INSPECTION.process.gc is not None
    off = replace(INSPECTION.process.gc, enabled=False)
    assert "garbage collector off" in text(changed("process", gc=off)).splitlines()[0]


def test_stacks_of_py_spy_are_marked() -> None:
    shown = text(changed("python", stacks_from="py-spy"))
    assert "threads (read by py-spy, not by memprobe)" in shown
    assert "thread 4711 MainThread, holds the GIL (read by py-spy, not by memprobe)" in shown


def test_without_python_it_says_what_it_has_not_seen() -> None:
    blind = replace(
        INSPECTION, python=None, threads=(), target=replace(INSPECTION.target, python=None, tier=0)
    )
    assert "tier 0: what /proc shows" in text(blind)


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_reach_no_output(name: str) -> None:
    frames = (FramePart(name, f"/{name}", 1),)
    hostile = replace(
        INSPECTION,
        target=replace(INSPECTION.target, cmdline=(name,), exe=name, container=name),
        threads=(ThreadPart(1, name, name, 1, 0, True, True, frames, True),),
        handles=(HandlesPart("file", 1, (name,)),),
        invisible=(name,),
    )
    shown = page(hostile, stacks=True)
    for line in plain.paint(shown).splitlines():
        assert line.isprintable()
    for line in ANSI.sub("", terminal.paint(shown, width=200)).splitlines():
        assert line.isprintable()


def test_markup_in_a_name_stays_text() -> None:
    frames = (FramePart("[red]f[/red]", "[link=http://x]y", 1),)
    marked = replace(INSPECTION, threads=(ThreadPart(1, None, "[/nothing]", 1, 0, None, None, frames, True),))
    shown = ANSI.sub("", terminal.paint(page(marked, stacks=True), width=120))
    assert "[red]f[/red]" in shown
    assert "[/nothing]" in shown


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_page_fits_its_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    long = changed("target", cmdline=("python3", "x" * 500), exe="/srv/" + "y" * 300)
    shown = terminal.paint(page(long, stacks=True), width=width)
    assert "\x1b[" in shown
    assert max(len(line) for line in ANSI.sub("", shown).splitlines()) <= width


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    shown = terminal.paint(page(INSPECTION, stacks=True), width=100)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown)


def test_a_dumb_terminal_gets_no_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in terminal.paint(page(INSPECTION, stacks=True), width=100)


def test_the_document_is_json_with_its_schema_first() -> None:
    document = INSPECTION.to_dict()
    assert list(document)[:3] == ["schema", "memprobe", "created_at"]
    assert document["schema"] == "memprobe.inspect/1"
    assert json.loads(json.dumps(document)) == document
