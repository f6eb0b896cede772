"""What is known, as plain data for `learn show`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memprobe.learned import Known, Store
from memprobe.models.learning.habit import Habit
from memprobe.models.learning.normal import Normal
from memprobe.vocab.sort import Sort
from memprobe.vocab.subject import What

SCHEMA = "memprobe.known/1"


def known_programs(store: Store) -> dict[str, Any]:
    """Return every program, and how many sorts of things are known of it."""
    sorts: dict[str, int] = {}
    for known in store.habits():
        sorts[known.program] = sorts.get(known.program, 0) + 1
    programs = [
        {"program": program, "runs": runs, "first_s": first, "last_s": last, "sorts": sorts.get(program, 0)}
        for program, runs, first, last in store.programs()
    ]
    return _document(store, programs)


def known_program(store: Store, program: str, now_s: float) -> dict[str, Any]:
    """Return what is known of one program, as it weighs now; the most certain first."""
    habits = {known.sort: habit for known in store.habits(program) if (habit := _habit(known, now_s))}
    normal = Normal(habits)
    rows = [_row(sort, habit, normal) for sort, habit in habits.items()]
    rows.sort(key=lambda row: (-row["runs"], row["kind"], row["group"], row["site"]))
    runs = next(runs for name, runs, _, _ in store.programs() if name == program)
    return _document(store, [{"program": program, "runs": runs, "habits": rows}])


def _document(store: Store, programs: list[dict[str, Any]]) -> dict[str, Any]:
    opinions = [
        {"key": said.key, "verdict": said.verdict, "reason": said.reason, "said_s": said.said_s}
        for said in store.opinions()
    ]
    return {"schema": SCHEMA, "store": str(store.path), "programs": programs, "opinions": opinions}


def _habit(known: Known, now_s: float) -> Habit | None:
    try:
        return Habit.from_json(known.state).faded(now_s - known.updated_s)
    except (ValueError, TypeError):
        return None


def _row(sort: Sort, habit: Habit, normal: Normal) -> Mapping[str, Any]:
    is_handle = sort.kind not in {what.name.lower() for what in What}
    protection = normal.protection(sort) if is_handle and (sort.group or sort.site) else None
    return {
        "kind": sort.kind,
        "group": sort.group,
        "site": sort.site,
        "runs": round(habit.runs, 2),
        "life_s": habit.life_s,
        "life_p99_s": habit.curve.ended.quantile(0.99),
        "usual": habit.counts.quantile(1.0),
        "protection": round(protection.score, 3) if protection else None,
        "reason": protection.reason if protection else None,
        "right": round(habit.right, 2),
        "wrong": round(habit.wrong, 2),
    }
