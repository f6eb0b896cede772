"""The page of a heap: it fits a screen, says what it must, and no name reaches the terminal raw."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from memprobe.heap.document import Heap, HeldPart, TotalsPart, WindowPart
from memprobe.target.inspection.plain_data import as_plain, from_plain
from memprobe.views import plain, terminal
from memprobe.views.heap_page import page
from memprobe.views.progress import line
from memprobe.views.quantities import size
from memprobe.views.status_line import fitted
from views.hostile import HOSTILE
from views.made_up_heap import CENSUS, GARBAGE, WHOLE

ANSI = re.compile(r"\x1b\[[0-9;]*m")
TOP = 6


def text(heap: Heap) -> str:
    return plain.paint(page(heap, top=TOP))


def test_the_first_line_says_what_and_how_much() -> None:
    assert text(CENSUS).splitlines()[0] == "pid 4711: 3,474,411 objects in 812.0 MB, 900.0 MB resident"


def test_it_fits_one_screen() -> None:
    lines = ANSI.sub("", terminal.paint(page(CENSUS, top=TOP), width=80)).splitlines()
    assert len(lines) <= 23  # and the prompt
    assert max(map(len, lines)) <= 80
    assert any("app.models.Session" in one for one in lines)
    assert any("app.cache.SESSIONS['…']" in one for one in lines)
    assert any("400.0 MB" in one for one in lines)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_long_path_is_cut_and_not_wrapped(width: int) -> None:
    long = replace(CENSUS.holders[0], path="app." + "x" * 300 + "[' y ']")  # type: ignore[index]
    lines = ANSI.sub(
        "", terminal.paint(page(replace(CENSUS, holders=(long,)), top=TOP), width=width)
    ).splitlines()
    assert max(map(len, lines)) <= width
    assert sum("xxx" in one for one in lines) == 1
    assert "400.0 MB" in next(one for one in lines if "xxx" in one)


def test_every_part_is_shown() -> None:
    shown = text(WHOLE)
    for fact in (
        "about 3,474,411 objects",
        "in 10 s",
        "what grew",
        "+1,000",
        "~1,204,311",
        "who holds app.models.Session",
        "<frame app.worker:run>.local pending (70,000)",
        "what refers to them",
        "references that nothing explains",
        "app.codec.TABLE",
        "garbage that waits for the collector",
        "collector   OFF",
        "gc.freeze   12,000 objects",
        "containers that grew",
        "900 in app.bus.Bus._handlers['…'], mostly bound method",
        "340 ms, 12 threads, not to the end",
        "1.56% of the pools",
        "3 torn objects, 4 unreadable pages",
        "Objects of 2 interpreters.",
        "12 % of it free",
    ):
        assert fact in shown, shown


def test_without_a_census_nothing_is_made_up() -> None:
    nothing = TotalsPart(900 << 20, None, None, None, None, None, None, None, None, None)
    blind = replace(CENSUS, types=None, holders=None, totals=nothing)
    assert text(blind).splitlines() == ["pid 4711: its objects cannot be seen, 900.0 MB resident"]


def test_nobody_is_said_and_not_left_out() -> None:
    assert "nobody was found" in text(replace(CENSUS, holders=()))


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_reach_no_output(name: str) -> None:
    holder = replace(CENSUS.holders[0], path=name, type=name, holds=(HeldPart(name, 1, 1),))  # type: ignore[index]
    hostile = replace(
        WHOLE,
        types=tuple(replace(row, type=name) for row in WHOLE.types or ()),
        holders=(holder,),
        garbage=replace(GARBAGE, types=(replace(GARBAGE.types[0], type=name),)),
        listeners=tuple(replace(row, path=name, kinds={name: 1}) for row in WHOLE.listeners or ()),
        containers=tuple(replace(row, path=name, type=name) for row in WHOLE.containers or ()),
        unexplained=tuple(replace(row, path=name, type=name) for row in WHOLE.unexplained or ()),
        referrers=tuple(replace(row, type=name) for row in WHOLE.referrers or ()),
        asked={"type": name},
        evidence=replace(WHOLE.evidence, invisible=(name,), lost={name: 2}),
    )
    shown = page(hostile, top=TOP)
    for one in plain.paint(shown).splitlines():
        assert one.isprintable()
    for one in ANSI.sub("", terminal.paint(shown, width=100)).splitlines():
        assert one.isprintable()


@pytest.mark.parametrize("heap", [CENSUS, WHOLE])
def test_the_document_crosses_a_pipe(heap: Heap) -> None:
    assert from_plain(Heap, json.loads(json.dumps(as_plain(heap)))) == heap
    document = heap.to_dict()
    assert list(document)[:3] == ["schema", "memprobe", "created_at"]
    assert document["schema"] == "memprobe.heap/1"
    assert list(document["target"]) == [
        "pid",
        "start_time",
        "cmdline",
        "python",
        "build",
        "container",
        "tier",
    ]


def test_what_was_not_measured_is_null() -> None:
    document = replace(CENSUS, holders=None, window=WindowPart("now", 1.0, None)).to_dict()
    for name in ("holders", "garbage", "listeners", "containers", "frozen", "sampled"):
        assert document[name] is None
    assert document["window"]["apart_s"] is None


def test_the_bar_of_progress() -> None:
    assert line({"step": "census", "done": 0.5, "objects": 12_000}) == (
        "census  [############------------]  50%  12,000 objects"
    )
    assert line({"step": "who holds it"}) == "who holds it"
    assert line({"step": "x", "done": 7.0}).endswith("100%")
    assert line(None) == ""
    assert "\x1b" not in fitted(line({"step": "\x1b[2J"}), 60)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (None, "unknown"),
        (12, "12 B"),
        (2048, "2.0 kB"),
        (-2048, "-2.0 kB"),
        (3 << 20, "3.0 MB"),
        (20 << 30, "20.00 GB"),
    ],
)
def test_sizes(number: int | None, words: str) -> None:
    assert size(number) == words
