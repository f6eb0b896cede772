"""The page of a report: what leaks, what is open and from where, what grows, and what it cost to know."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from memprobe.abi import LOSSES
from memprobe.views.escaping import shorten
from memprobe.views.findings import findings_sections, summary
from memprobe.views.page import Column, Facts, Notes, Page, Section, Table
from memprobe.views.places import place
from memprobe.views.quantities import UNKNOWN, count, duration, megabytes

ROWS = 20
"""Rows of a table on a page; all of them are in the document."""

ROWS_BESIDE_FINDINGS = 5
"""Where there are findings, they are what the page is for."""

CONFIDENTIAL = "CONFIDENTIAL: has keys of the program's dictionaries in it (--with-keys)"
"""What a report begins with if its run was asked for them."""

COMMAND_WIDTH = 300
MIB = 1 << 20
SENTENCES = {loss.name: loss.sentence for loss in LOSSES}
BORN = {
    "inherited": "before the attach",
    "polled": "polled: between two looks at /proc",
    "missed": "its birth was not seen",
    "stack_not_taken": "its stack was not taken",
}
"""For handles without a site."""


def page(document: dict[str, Any]) -> Page:
    """Everything that a person wants to see of a report."""
    rows = ROWS_BESIDE_FINDINGS if document["findings"] else ROWS
    sections = [
        *findings_sections(document["findings"]),
        Section("target", (Facts(tuple(_target(document))),)),
        *handles_sections(document["handles"], rows),
        *_growth(document["growth"], rows),
        *_keys(document["keys"]),
        Section("memory", (Facts(tuple(_memory(document))),)),
        Section("what it cost", (Facts(tuple(_overhead(document["overhead"]))),)),
        *_lost(document["evidence"]),
        *_invisible(document["evidence"]["invisible"]),
    ]
    return Page(_verdict(document), tuple(sections))


def pages(document: dict[str, Any]) -> Iterator[Page]:
    """The same in fewer and fewer words, for a screen with no room for more; the verdict is always first."""
    yield page(document)
    for in_full, sentences in ((3, 1), (3, 0), (2, 0), (1, 0), (0, 0)):
        findings = tuple(findings_sections(document["findings"], in_full, sentences))
        yield Page(_verdict(document), (*findings, _in_short(document)))
    yield Page(_verdict(document))


def _in_short(document: dict[str, Any]) -> Section:
    memory, overhead = dict(_memory(document)), dict(_overhead(document["overhead"]))
    facts = [("memory", memory.get("verdict", memory["resident"]))]
    facts.append(("cost", f"{overhead['to the target']} to it; {overhead['of memprobe']} for memprobe"))
    lost = sum(document["evidence"]["lost"].values())
    unseen = len(document["evidence"]["invisible"])
    if lost or unseen:
        facts.append(("evidence", f"{lost:,} lost, {count(unseen, 'thing')} not visible"))
    facts.append(("more", "--full, --json; of a recording: report F --html OUT"))
    return Section("in short", (Facts(tuple(facts)),))


def handles_page(document: dict[str, Any]) -> Page:
    """The open handles alone, every row."""
    rows = document["handles"]
    total = sum(row["open"] for row in rows)
    verdict = (
        f"pid {document['target']['pid']} has {count(total, 'open handle')} from {count(len(rows), 'place')}"
    )
    invisible = _invisible(document["evidence"]["invisible"])
    return Page(verdict, (*handles_sections(rows, len(rows)), *invisible))


def handles_sections(rows: Sequence[dict[str, Any]], limit: int) -> Iterator[Section]:
    """Open handles by birth site; those from before the attach have none."""
    if not rows:
        return
    names = ("open", "inherited", "opened/s", "closed/s")
    columns = (Column("kind"), *(Column(name, right=True) for name in names), Column("oldest", right=True))
    columns += (Column("born at", stretches=True),)
    table = Table(columns, tuple(_handle(row) for row in rows[:limit]))
    yield Section("open handles", (table, *_more(len(rows) - limit)))


def _handle(row: dict[str, Any]) -> tuple[str, ...]:
    states = ", ".join(f"{number:,} {name}" for name, number in row["states"].items())
    return (
        f"{row['kind']}: {states}" if states else row["kind"],
        f"{row['open']:,}",
        f"{row['inherited']:,}",
        _rate(row["opened_per_s"]),
        _rate(row["closed_per_s"]),
        ("at least " if row["inherited"] else "") + duration(row["oldest_s"]),
        place(row["site"]) if row["site"] else BORN.get(row["born"], UNKNOWN),
    )


def _growth(rows: Sequence[dict[str, Any]], limit: int) -> Iterator[Section]:
    if not rows:
        return
    numbers = (Column("grown", right=True), Column("per hour", right=True))
    columns = (*numbers, Column("how"), Column("at", stretches=True))
    table = Table(columns, tuple(_grown(row) for row in rows[:limit]))
    note = Notes(("The same memory may stand here under several hows: it is mapped, then used.",))
    yield Section("growing memory", (table, *_more(len(rows) - limit), note))


def _grown(row: dict[str, Any]) -> tuple[str, ...]:
    rate = row["bytes_per_s"]
    per_hour = UNKNOWN if rate is None else megabytes(rate * 3600 / MIB)
    return megabytes(row["bytes"] / MIB), per_hour, row["how"], place(row["site"])


def _more(rows: int) -> tuple[Notes, ...]:
    return (Notes((f"{count(rows, 'more row')}: see --json.",)),) if rows > 0 else ()


def _verdict(document: dict[str, Any]) -> str:
    target, process, memory = document["target"], document["process"], document["memory"]
    facts = [
        f"watched for {duration(document['window']['duration_s'])}",
        count(process["fds"], "open handle"),
        f"{megabytes(memory['rss_mb'])} resident",
    ]
    if target["ended"]:
        facts.append(target["ended"])
    told = f"pid {target['pid']}: {summary(document['findings'])}; {', '.join(facts)}"
    return told if document["keys"] is None else f"{CONFIDENTIAL}; {told}"


def _target(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    target = document["target"]
    yield "command", shorten(shlex.join(target["cmdline"]), COMMAND_WIDTH) if target["cmdline"] else UNKNOWN
    yield "python", f"{target['python'] or UNKNOWN}, {target['build'] or 'unknown build'}"
    if target["container"]:
        yield "container", target["container"]
    yield "evidence", f"tier {target['tier']}, {count(document['evidence']['events'], 'event')}"
    if document["evidence"]["engine"]:
        yield "engine", f"{document['evidence']['engine']}: {document['evidence']['engine_why']}"
    if target["ended"]:
        yield "ended", target["ended"]


def _memory(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    memory, process = document["memory"], document["process"]
    yield "resident", f"{megabytes(memory['rss_mb'])}, peak {megabytes(memory['rss_peak_mb'])}"
    if memory["rss_growth_mb_per_h"] is not None:
        yield "trend", f"{memory['rss_growth_mb_per_h']:+,.1f} MB per hour"
    if memory["python_mb"] is not None:
        free = megabytes(memory["arena_free_mb"])
        yield "python objects", f"{megabytes(memory['python_mb'])} in its arenas, {free} free there"
    if memory["native_mb"] is not None:
        mapped = "" if memory["mmap_mb"] is None else f", {megabytes(memory['mmap_mb'])} otherwise allocated"
        yield "outside of them", f"{megabytes(memory['native_mb'])} in C heaps{mapped}"
    if memory["limit_mb"] is not None:
        used = "" if memory["limit_used_mb"] is None else f", {megabytes(memory['limit_used_mb'])} of it used"
        yield "limit", f"{megabytes(memory['limit_mb'])}{used}"
    if memory["verdict"] is not None:
        yield "verdict", f"{memory['verdict']}: {memory['why']}"
    yield "threads", UNKNOWN if process["threads"] is None else f"{process['threads']:,}"
    if process["gc"]["pause_ms"] is not None:
        yield "collector", f"paused for {process['gc']['pause_ms']:,.1f} ms in all"


def _overhead(overhead: dict[str, Any]) -> Iterator[tuple[str, str]]:
    slowdown, budget = overhead["target_slowdown_pct"], overhead["budget_pct"]
    lost = UNKNOWN if slowdown is None else f"{slowdown:.3f} % of its time"
    yield "to the target", lost if budget is None else f"{lost} ({budget:g} % allowed)"
    cpu = overhead["profiler_cpu_pct"]
    own = UNKNOWN if cpu is None else f"{cpu:.1f} % of a core"
    yield "of memprobe", f"{own}, {megabytes(overhead['profiler_rss_mb'])}"


def _lost(evidence: dict[str, Any]) -> Iterator[Section]:
    lost = [
        f"{number:,} x {SENTENCES.get(name, name)}" for name, number in evidence["lost"].items() if number
    ]
    if evidence["repaired"]:
        found = count(evidence["repaired"], "difference")
        lost.append(f"{found} between the events and what was really open: put right.")
    if lost:
        yield Section("lost and repaired", (Notes(tuple(lost)),))


def _invisible(sentences: Sequence[str]) -> Iterator[Section]:
    if sentences:
        yield Section("not visible", (Notes(tuple(sentences)),))


def _keys(rows: Sequence[dict[str, Any]] | None) -> Iterator[Section]:
    if rows is not None:
        columns = (Column("holder", one_line=True), Column("its newest keys", stretches=True))
        table = Table(columns, tuple((row["holder"], ", ".join(row["keys"])) for row in rows[:ROWS]))
        said = _more(len(rows) - ROWS) if rows else (Notes(("no dictionary grew",)),)
        yield Section("keys of the program's dictionaries (--with-keys)", ((table,) if rows else ()) + said)


def _rate(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.1f}"
