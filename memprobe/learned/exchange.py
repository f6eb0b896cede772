"""The store as one readable JSON document, and back: from machine to machine, or into a repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memprobe import __version__
from memprobe.learned.store import Known, Merge, Said, Store
from memprobe.vocab.sort import Sort

SCHEMA = "memprobe.learned/1"

MAX_ROWS = 1 << 20
"""No list of a document has more rows; a file that says so is broken or hostile."""


class BadDocument(ValueError):
    """A document that is none of ours, or damaged; the message says where."""


def exported(store: Store, now: str) -> dict[str, Any]:
    """Return everything that is known."""
    habits: dict[str, list[dict[str, Any]]] = {}
    for known in store.habits():
        sort = {"kind": known.sort.kind, "group": known.sort.group, "site": known.sort.site}
        row = {**sort, "updated_s": known.updated_s, "state": known.state}
        habits.setdefault(known.program, []).append(row)
    programs = [
        {
            "program": program,
            "runs": runs,
            "first_s": first_s,
            "last_s": last_s,
            "habits": habits.get(program, []),
            "findings": [_finding(one) for one in store.findings(program)],
            "observations": [_observation(one) for one in store.observed(program)],
        }
        for program, runs, first_s, last_s in store.programs()
    ]
    opinions = [
        {"key": said.key, "verdict": said.verdict, "reason": said.reason, "said_s": said.said_s}
        for said in store.opinions()
    ]
    header = {"schema": SCHEMA, "memprobe": __version__, "exported_at": now}
    return {**header, "programs": programs, "opinions": opinions}


def imported(store: Store, document: Any, merge: Merge, verdicts: Sequence[str]) -> int:
    """Put a document to what is known, all of it or nothing; return how many programs it was about.

    Raises BadDocument. Observations and findings of others are not taken over.
    """
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        raise BadDocument(f"it is no document {SCHEMA}")
    programs, opinions = (_rows(document, name) for name in ("programs", "opinions"))
    known = set(store.opinions())
    with store.change():
        for number, row in enumerate(programs):
            _take_program(store, row, merge, f"programs[{number}]")
        for number, row in enumerate(opinions):
            said = _said(row, verdicts, f"opinions[{number}]")
            if said not in known:
                store.note_opinion(said)
    return len(programs)


def _take_program(store: Store, row: Mapping[str, Any], merge: Merge, where: str) -> None:
    program = _text(row, "program", where)
    last_s = _number(row, "last_s", where)
    store.note_program(program, int(_number(row, "runs", where)), _number(row, "first_s", where), last_s)
    for number, habit in enumerate(_rows(row, "habits", where)):
        place = f"{where}.habits[{number}]"
        sort = Sort(*(_text(habit, name, place) for name in ("kind", "group", "site")))
        try:
            known = Known(program, sort, habit.get("state"), _number(habit, "updated_s", place))
            store.merge_habit(known, merge)
        except (ValueError, TypeError) as error:
            raise BadDocument(f"{place}: {error}") from error


def _said(row: Mapping[str, Any], verdicts: Sequence[str], where: str) -> Said:
    verdict = _text(row, "verdict", where)
    if verdict not in verdicts:
        raise BadDocument(f"{where}.verdict: {verdict!r} is none of {', '.join(verdicts)}")
    texts = _text(row, "key", where), verdict, _text(row, "reason", where)
    return Said(*texts, _number(row, "said_s", where))


def _rows(value: Mapping[str, Any], name: str, where: str = "") -> list[Mapping[str, Any]]:
    rows = value.get(name, [])
    if not isinstance(rows, list) or len(rows) > MAX_ROWS or not all(isinstance(row, dict) for row in rows):
        raise BadDocument(f"{where}{'.' if where else ''}{name} is no list of objects")
    return rows


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise BadDocument(f"{where}.{name}: {value!r} is no text")
    return value[:1000]


def _number(row: Mapping[str, Any], name: str, where: str) -> float:
    value = row.get(name)
    if not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise BadDocument(f"{where}.{name}: {value!r} is no number of seconds or runs")
    return float(value)


def _finding(one: Any) -> dict[str, Any]:
    names = ("id", "kind", "title", "site", "confidence", "seen_s")
    return {name: getattr(one, name) for name in names}


def _observation(one: Any) -> dict[str, Any]:
    sort = {"kind": one.sort.kind, "group": one.sort.group, "site": one.sort.site}
    return {**sort, "age_s": one.age_s, "size_bytes": one.size_bytes, "ended": one.ended}
