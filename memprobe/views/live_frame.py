"""One picture of the live view: lines of text that fit a terminal, whatever its size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from memprobe.views.escaping import cells, escape
from memprobe.views.findings import SURE, advice, percent, summary
from memprobe.views.places import place
from memprobe.views.quantities import count, duration, megabytes, size
from memprobe.views.sparkline import sparkline
from memprobe.views.status_line import fitted
from memprobe.views.story import Story
from memprobe.vocab.subject import What

SORTS = ("growth", "size", "name")
PLAIN, STRONG, HEADING, DIM, MARKED, WARNING, CRITICAL = (
    "",
    "strong",
    "heading",
    "dim",
    "marked",
    "warning",
    "critical",
)
SEVERITIES = {"warning": WARNING, "critical": CRITICAL}
FOLLOWED = (What.CONTAINER, What.HOLDER, What.TASKS, What.TIMERS, What.GARBAGE, What.QUEUE)
LEAST = 3
"""Below so many lines a part shows nothing that helps."""

INDENT = "    "
"""Of what goes on with the line above."""

HELP = "q end  p pause  s sort  ↑↓ choose  Enter open  w write a report"
HELP_OPEN = "Esc back  ↑↓ scroll  w write a report  q end"


@dataclass(slots=True)
class State:
    """What the person at the keys has chosen."""

    sort: int = 0
    chosen: int = 0
    is_open: bool = False
    opened: str = ""
    """The id of the finding that is open; "" until it is shown."""

    is_paused: bool = False
    scroll: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line and how it is set."""

    text: str
    style: str = PLAIN


def frame(story: Story, state: State, width: int, height: int) -> list[Line]:
    """Return at most `height` lines of at most `width` columns each."""
    lines = list(_open(story, state, width) if state.is_open else _overview(story, state, width, height - 1))
    if state.is_open:
        state.scroll = max(0, min(state.scroll, len(lines) - height + 1))
        lines = lines[state.scroll :]
    lines = lines[: height - 1]
    help_text = HELP_OPEN if state.is_open else HELP
    lines.append(Line(state.message or help_text, DIM))
    return [Line(fitted(line.text, width), line.style) for line in lines]


def _overview(story: Story, state: State, width: int, height: int) -> Iterator[Line]:
    head = [*_head(story, state, width), *_kinds(story, width)]
    foot = list(_foot(story.document))
    parts = [part for part in _parts(story, state, width) if len(part) > 1]
    yield from head
    left = height - len(head) - len(foot)
    for number, part in enumerate(parts):
        share = max(LEAST, left // (len(parts) - number))
        shown = part[: min(share, left)]
        left -= len(shown)
        yield from shown
    yield from foot


def _head(story: Story, state: State, width: int) -> Iterator[Line]:
    document = story.document
    paused = "PAUSED  " if state.is_paused else ""
    target, seconds = document["target"], document["window"]["duration_s"]
    yield Line(f"{paused}pid {target['pid']}: {summary(document['findings'])}; {duration(seconds)}", STRONG)
    memory = document["memory"]
    trend = memory["rss_growth_mb_per_h"]
    told = f"RSS {megabytes(memory['rss_mb'])}" + ("" if trend is None else f", {trend:+,.1f} MB/h")
    limit = "" if memory["limit_mb"] is None else f", limit {megabytes(memory['limit_mb'])}"
    yield Line(_drawn(told + limit, story.history.line("rss_bytes"), width))


def _kinds(story: Story, width: int) -> Iterator[Line]:
    """How many there are of each kind, two in a line."""
    moments = list(story.history.kinds)
    if not moments:
        return
    names = sorted(moments[-1][1], key=lambda name: -moments[-1][1][name])[:6]
    half = width // 2
    told = []
    for name in names:
        points = [(time_s, float(kinds.get(name, 0))) for time_s, kinds in moments]
        told.append(_padded(_drawn(f"{name} {moments[-1][1][name]:,}", points, half - 1, 18), half))
    for number in range(0, len(told), 2):
        yield Line("".join(told[number : number + 2]))


def _drawn(text: str, points: Sequence[tuple[float, float]], width: int, column: int = 40) -> str:
    column = min(max(column, cells(text) + 1), width)
    return f"{_padded(text, column)}{sparkline(points, width - column)}"


def _parts(story: Story, state: State, width: int) -> Iterator[list[Line]]:
    document, sort = story.document, SORTS[state.sort]
    yield [Line("findings", HEADING), *_findings(document["findings"], state)]
    yield [Line(f"growing, by {sort}", HEADING), *_holders(story, sort, width)]
    yield [Line("memory grows at", HEADING), *_growth(document["growth"], sort)]
    yield [Line("open handles by site", HEADING), *_handles(document["handles"], sort)]


def _findings(findings: Sequence[dict[str, Any]], state: State) -> Iterator[Line]:
    """The chosen one is always among the first: what is above it scrolls away."""
    state.chosen = max(0, min(state.chosen, len(findings) - 1))
    for number, one in list(enumerate(findings))[max(0, state.chosen - 1) :]:
        mark = ">" if number == state.chosen else " "
        style = MARKED if number == state.chosen else SEVERITIES.get(one["severity"], PLAIN)
        sure = percent(one) if one["confidence"] >= SURE else f"{percent(one)}?"
        yield Line(f"{mark} {sure:>5} {one['kind']}: {one['title']}", style)


def _holders(story: Story, sort: str, width: int) -> Iterator[Line]:
    subjects, pid = story.ledger.populations.subjects, story.history.pid
    found = [
        (subjects[one.subject_id], one)
        for one in story.ledger.populations
        if one.pid == pid and subjects[one.subject_id].what in FOLLOWED and one.added > 0
    ]
    keys = {
        "growth": lambda pair: -pair[1].added,
        "size": lambda pair: -(pair[1].bytes or 0),
        "name": lambda pair: pair[0].holder or pair[0].type,
    }
    for subject, one in sorted(found, key=keys[sort])[:100]:
        bytes_told = "" if one.bytes is None else size(one.bytes)
        name = subject.holder or f"{subject.type} ({subject.what.name.lower()})"
        yield Line(f"  {one.added:>+10,} {one.count:>11,} {bytes_told:>10}  {name}")


def _growth(rows: Iterable[dict[str, Any]], sort: str) -> Iterator[Line]:
    keys = {"growth": _rate, "size": lambda row: -row["bytes"], "name": lambda row: place(row["site"])}
    for row in sorted(rows, key=keys[sort])[:100]:
        per_hour = "" if row["bytes_per_s"] is None else f"{size(round(row['bytes_per_s'] * 3600))}/h"
        yield Line(f"  {size(row['bytes']):>10} {per_hour:>12} {row['how']:<6} {place(row['site'])}")


def _rate(row: dict[str, Any]) -> float:
    return -(row["bytes_per_s"] or 0.0)


def _handles(rows: Iterable[dict[str, Any]], sort: str) -> Iterator[Line]:
    keys = {
        "growth": lambda row: (row["closed_per_s"] or 0) - (row["opened_per_s"] or 0),
        "size": lambda row: -row["open"],
        "name": lambda row: place(row["site"]),
    }
    for row in sorted(rows, key=keys[sort])[:100]:
        where = place(row["site"]) if row["site"] else row["born"].replace("_", " ")
        yield Line(f"  {row['open']:>10,} {row['kind']:<8} {where}")


def _foot(document: dict[str, Any]) -> Iterator[Line]:
    gc, overhead = document["process"]["gc"], document["overhead"]
    if gc["collections"] is not None:
        state = "off" if gc["enabled"] is False else "on"
        pause = "" if gc["pause_ms"] is None else f", paused for {gc['pause_ms']:,.1f} ms"
        runs = " ".join(f"{number:,}" for number in gc["collections"] if number is not None)
        yield Line(f"collector {state}, ran {runs}{pause}", DIM)
    slowdown, cpu = overhead["target_slowdown_pct"], overhead["profiler_cpu_pct"]
    lost = "unknown" if slowdown is None else f"{slowdown:.2f} %"
    own = "unknown" if cpu is None else f"{cpu:.1f} %"
    evidence = document["evidence"]
    events = f"{count(evidence['events'], 'event')} by {evidence['engine'] or 'an engine not named'}"
    told = f"{lost} to it, {own} of a core and {megabytes(overhead['profiler_rss_mb'])} for memprobe"
    yield Line(f"cost: {told}; {events}", DIM)


def _open(story: Story, state: State, width: int) -> Iterator[Line]:
    """A finding with all that is known of it."""
    findings = story.document["findings"]
    if not findings:
        return
    one = _opened(findings, state)
    yield from _wrapped(f"{one['kind']}: {one['title']}", width, STRONG)
    found = f"found after {duration(one['detected_after_s'])} [{one['id']}]"
    yield Line(f"{percent(one)} sure, {one['severity']}, {found}")
    if one["exhausts_in_s"] is not None:
        then = f"{one['limit']} used up in {duration(one['exhausts_in_s'])}"
        yield Line(then, SEVERITIES.get(one["severity"], PLAIN))
    if one["holder"]:
        yield from _wrapped(f"held by {one['holder']}", width)
    if one["site"]:
        yield Line("stack, innermost first", HEADING)
        for frame_row in one["site"]:
            yield from _wrapped(f"  {frame_row['function']} {frame_row['file']}:{frame_row['line']}", width)
    yield Line("because", HEADING)
    for sentence in (*one["evidence"], *one["limits"]):
        yield from _wrapped(f"  {sentence}", width)
    for name, text in advice(one):
        yield Line(name, HEADING)
        yield from _wrapped(f"  {text}", width)


def _opened(findings: Sequence[dict[str, Any]], state: State) -> dict[str, Any]:
    """The finding that was opened, wherever among the others it stands by now."""
    places = {one["id"]: place for place, one in enumerate(findings)}
    state.chosen = min(places.get(state.opened, state.chosen), len(findings) - 1)
    state.opened = findings[state.chosen]["id"]
    return findings[state.chosen]


def _wrapped(text: str, width: int, style: str = PLAIN) -> Iterator[Line]:
    shown, indent = escape(text), ""
    while shown:
        part = fitted(shown, max(2, width - len(indent)))
        if len(part) < len(shown) and " " in part.strip():
            part = part[: part.rindex(" ") + 1]
        yield Line(indent + part, style)
        shown, indent = shown[max(1, len(part)) :], INDENT


def _padded(text: str, width: int) -> str:
    shown = fitted(text, width)
    return shown + " " * (width - cells(shown))
