"""Findings on the page of a report: what leaks, how fast, who holds it, which line, how sure, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from memprobe.views.page import Facts, Notes, Section
from memprobe.views.places import own_frames, place
from memprobe.views.quantities import count, duration, size

SURE = 0.5
"""Below it a finding is a suspect."""

IN_FULL = 3
"""So many findings are shown with all that is known of them: the worst. The others have a line each."""

A_CENT = 0.01
NAMED = 4
"""So many findings are named in the first line."""

SENTENCES = 3
"""Of the evidence, the most telling; all of it is in the document."""


def findings_sections(
    findings: Sequence[dict[str, Any]], in_full: int = IN_FULL, sentences: int = SENTENCES
) -> Iterator[Section]:
    """The findings, worst first, so many of them in full; then what is suspected."""
    sure = [one for one in findings if one["confidence"] >= SURE]
    for number, one in enumerate(sure[:in_full], 1):
        yield Section(f"{number}. {one['kind']}: {one['title']}", (Facts(tuple(_facts(one, sentences))),))
    if len(sure) > in_full:
        title = "more findings" if in_full else "findings"
        yield Section(title, (Notes(tuple(map(one_line, sure[in_full:]))),))
    suspects = tuple(one_line(one) for one in findings if one["confidence"] < SURE)
    if suspects:
        yield Section("suspects, not sure yet", (Notes(suspects),))


def summary(findings: Sequence[dict[str, Any]]) -> str:
    """The verdict in a few words."""
    sure = [one for one in findings if one["confidence"] >= SURE]
    suspected = len(findings) - len(sure)
    if sure:
        named = ", ".join(f"{one['kind']} ({percent(one)})" for one in sure[:NAMED])
        return f"{count(len(sure), 'leak')}: {named}{', ...' if len(sure) > NAMED else ''}"
    return f"no leak found, {count(suspected, 'suspect')}" if suspected else "no leak found"


def one_line(one: dict[str, Any]) -> str:
    """A finding in one line."""
    where = one["holder"] or (place(one["site"]) if one["site"] else "")
    at = f"; {where}" if where and where not in one["title"] else ""
    return f"{percent(one)} {one['kind']}: {one['title']}{at} [{one['id']}]"


def percent(one: dict[str, Any]) -> str:
    """How sure a finding is; never 100 %."""
    return f"{min(99, int(100 * one['confidence']))} %"


def _facts(one: dict[str, Any], sentences: int) -> Iterator[tuple[str, str]]:
    yield "what", ", ".join(_amounts(one))
    if one["holder"]:
        yield "held by", one["holder"]
    if one["site"]:
        yield "made at", place(one["site"])
        yield from (("line", frame["source"]) for frame in own_frames(one["site"]) if "source" in frame)
    yield "sure", f"{percent(one)}, found after {duration(one['detected_after_s'])} [{one['id']}]"
    if one["exhausts_in_s"] is not None:
        yield "then", f"{one['limit']} used up in {duration(one['exhausts_in_s'])}: {one['severity']}"
    yield from (("because", sentence) for sentence in one["evidence"][:sentences])
    yield from advice(one)


def advice(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What to do; of a known leak what others say of it, which is better than what we guess."""
    known = one["known"]
    if known is None:
        yield "do", one["suggested_fix"]
        return
    yield "known", f"{_release(known)}{known['title']} [{known['pattern']}]"
    yield "do", known["advice"]
    if known["source"]:
        yield "see", known["source"]


def _release(known: dict[str, Any]) -> str:
    """Whose bug a known leak is, and which release has it not."""
    if not known["package"]:
        return ""
    name = " ".join(filter(None, (known["package"], known["version"])))
    return f"{name} (fixed in {known['fixed']}): " if known["fixed"] else f"{name}: "


def _amounts(one: dict[str, Any]) -> Iterator[str]:
    if one["count"] is not None:
        yield f"{one['count']:,} x {one['type']}" if one["type"] else f"{one['count']:,}"
    if one["added"] is not None:
        yield f"{one['added']:+,} since the attach"
    if one["count_per_s"] is not None:
        yield f"{one['count_per_s']:+,.1f} a second"
    if one["bytes"] is not None:
        yield size(one["bytes"])
    if one["bytes_per_s"] is not None:
        yield f"{size(round(one['bytes_per_s'] * 3600))} an hour"
    if one["cost_usd_per_month"] is not None and one["cost_usd_per_month"] >= A_CENT:
        yield f"{one['cost_usd_per_month']:,.2f} USD a month as it is"
