"""What is normal for programs, kept from run to run in one SQLite file for all runs of a user.

What a habit is, and how two are put together, the models know; here it is a piece of JSON under its sort.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from memprobe.learned import format as limits
from memprobe.learned.opening import default_path, failures, opened
from memprobe.vocab.sort import Sort

State: TypeAlias = Mapping[str, Any]
Merge: TypeAlias = Callable[[Any, State, float], State]
"""What was known (None if nothing), what came, and the seconds between them."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one sort of things of one program."""

    program: str
    sort: Sort
    state: Any
    """As whoever wrote it: to be checked."""

    updated_s: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Said:
    """A word of the user."""

    key: str
    verdict: str
    reason: str
    said_s: float


@dataclass(frozen=True, slots=True)
class Reported:
    """A finding that a run has ended with."""

    program: str
    id: str
    kind: str
    title: str
    site: str
    confidence: float
    seen_s: float


@dataclass(frozen=True, slots=True)
class Observed:
    """One lifetime."""

    sort: Sort
    age_s: float
    size_bytes: int | None
    ended: bool
    """False: it was still open, or ended with its process."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """What one run has to say."""

    habits: Mapping[Sort, State]
    observed: Sequence[Observed] = ()
    """The last ones, in order."""

    findings: Sequence[Reported] = ()


class Store:
    """The open store. Many processes may have it open; each change is one transaction."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()
        self._database, self.remarks = opened(self.path)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it. May be called twice."""
        self._database.close()

    # What is known ----------------------------------------------------------------------------------

    def programs(self) -> list[tuple[str, int, float, float]]:
        """Return every program with its runs, and when the first and the last one ended; newest first."""
        rows = self._rows("SELECT program, runs, first_s, last_s FROM programs ORDER BY last_s DESC, program")
        return [(program, runs, first_s, last_s) for program, runs, first_s, last_s in rows]

    def habits(self, program: str | None = None) -> list[Known]:
        """Return what is known of a program, or of all; what is no JSON is passed over."""
        rows = self._rows(
            "SELECT program, kind, grp, site, state, updated_s FROM habits "
            "WHERE ?1 IS NULL OR program = ?1 ORDER BY program, kind, grp, site",
            program,
        )
        return [
            Known(name, Sort(*sort), state, updated_s)
            for name, *sort, text, updated_s in rows
            if (state := _parsed(text)) is not None
        ]

    def opinions(self) -> list[Said]:
        """Return what the user has said, the last word last."""
        rows = self._rows("SELECT key, verdict, reason, said_s FROM opinions ORDER BY id")
        return [Said(*row) for row in rows]

    def findings(self, program: str | None = None) -> list[Reported]:
        """Return the findings that runs have ended with, the latest first."""
        rows = self._rows(
            "SELECT program, id, kind, title, site, confidence, seen_s FROM findings "
            "WHERE ?1 IS NULL OR program = ?1 ORDER BY seen_s DESC, id",
            program,
        )
        return [Reported(*row) for row in rows]

    def observed(self, program: str) -> list[Observed]:
        """Return the last lifetimes of a program, in order."""
        rows = self._rows(
            "SELECT kind, grp, site, age_s, size_bytes, ended FROM observations "
            "WHERE program = ? ORDER BY id",
            program,
        )
        return [Observed(Sort(*row[:3]), row[3], row[4], bool(row[5])) for row in rows]

    # Changes ----------------------------------------------------------------------------------------

    def learn(self, program: str, lessons: Lessons, merge: Merge, now_s: float | None = None) -> None:
        """Put what a run has to say to what is known."""
        now_s = time.time() if now_s is None else now_s
        with self._change() as database:
            (before_s,) = database.execute("SELECT max(last_s) FROM programs").fetchone()
            self.note_program(program, 1, now_s, now_s)
            for sort, state in lessons.habits.items():
                self.merge_habit(Known(program, sort, state, now_s), merge)
            database.executemany(
                "INSERT INTO observations (program, kind, grp, site, age_s, size_bytes, ended, seen_s) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (program, *_texts(one.sort), one.age_s, one.size_bytes, one.ended, now_s)
                    for one in lessons.observed
                ),
            )
            self.note_findings(lessons.findings)
            # By the run before: a clock that is ahead by years must not cost all that is known.
            self._forget(program, now_s if before_s is None else min(now_s, before_s))

    def note_program(self, program: str, runs: int, first_s: float, last_s: float) -> None:
        """Count runs of a program; inside of a change."""
        self._database.execute(
            "INSERT INTO programs VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "runs = runs + excluded.runs, first_s = min(first_s, excluded.first_s), "
            "last_s = max(last_s, excluded.last_s)",
            (_text(program), runs, first_s, last_s),
        )

    def merge_habit(self, known: Known, merge: Merge) -> None:
        """Put one habit to what is known; inside of a change."""
        key = (known.program, *_texts(known.sort))
        found = self._database.execute(
            "SELECT state, updated_s FROM habits WHERE (program, kind, grp, site) = (?, ?, ?, ?)", key
        ).fetchone()
        before, elapsed_s = (None, 0.0) if found is None else (_parsed(found[0]), known.updated_s - found[1])
        state = json.dumps(merge(before, known.state, elapsed_s))
        self._database.execute(
            "INSERT OR REPLACE INTO habits VALUES (?, ?, ?, ?, ?, ?)", (*key, state, known.updated_s)
        )

    def note_findings(self, findings: Iterable[Reported]) -> None:
        """Remember findings, the newest word on each; inside of a change."""
        self._database.executemany(
            "INSERT OR REPLACE INTO findings VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (one.program, one.id, one.kind, _text(one.title), _text(one.site), one.confidence, one.seen_s)
                for one in findings
            ),
        )

    def say(self, said: Said) -> None:
        """Remember a word of the user."""
        with self._change():
            self.note_opinion(said)

    def note_opinion(self, said: Said) -> None:
        """Remember a word of the user; inside of a change."""
        self._database.execute(
            "INSERT INTO opinions (key, verdict, reason, said_s) VALUES (?, ?, ?, ?)",
            (_text(said.key), said.verdict, _text(said.reason), said.said_s),
        )
        self._database.execute(
            "DELETE FROM opinions WHERE id NOT IN (SELECT id FROM opinions ORDER BY id DESC LIMIT ?)",
            (limits.MAX_OPINIONS,),
        )

    def reset(self, program: str | None = None) -> int:
        """Forget a program, or everything with what the user has said; return how many programs that were."""
        with self._change() as database:
            (count,) = database.execute(
                "SELECT count(*) FROM programs WHERE ?1 IS NULL OR program = ?1", (program,)
            ).fetchone()
            for table in ("programs", "habits", "findings", "observations"):
                database.execute(f"DELETE FROM {table} WHERE ?1 IS NULL OR program = ?1", (program,))
            if program is None:
                database.execute("DELETE FROM opinions")
        return int(count)

    @contextmanager
    def change(self) -> Iterator[None]:
        """Make several changes at once, or none."""
        with self._change():
            yield

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with failures(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _forget(self, program: str, now_s: float) -> None:
        """Drop what is too old or too much."""
        change = self._database.execute
        change(
            "DELETE FROM observations WHERE program = ?1 AND id NOT IN "
            "(SELECT id FROM observations WHERE program = ?1 ORDER BY id DESC LIMIT ?2)",
            (program, limits.MAX_OBSERVATIONS),
        )
        for table, order, most in (
            ("habits", "updated_s DESC, kind, grp, site", limits.MAX_HABITS),
            ("findings", "seen_s DESC, id", limits.MAX_FINDINGS),
        ):
            columns = "kind, grp, site" if table == "habits" else "id"
            change(
                f"DELETE FROM {table} WHERE program = ?1 AND ({columns}) NOT IN "
                f"(SELECT {columns} FROM {table} WHERE program = ?1 ORDER BY {order} LIMIT ?2)",
                (program, most),
            )
        change("DELETE FROM habits WHERE updated_s < ?", (now_s - limits.MAX_DAYS * 86_400,))
        change(
            "DELETE FROM habits WHERE (program, kind, grp, site) NOT IN (SELECT program, kind, grp, site "
            "FROM habits ORDER BY updated_s DESC, program, kind, grp, site LIMIT ?)",
            (limits.MAX_ALL_HABITS,),
        )
        change(
            "DELETE FROM programs WHERE program NOT IN "
            "(SELECT program FROM programs ORDER BY last_s DESC, program LIMIT ?)",
            (limits.MAX_PROGRAMS,),
        )
        for table in ("habits", "findings", "observations"):
            change(f"DELETE FROM {table} WHERE program NOT IN (SELECT program FROM programs)")

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with failures(self.path):
            return self._database.execute(query, values).fetchall()


def _parsed(text: object) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def _texts(sort: Sort) -> tuple[str, str, str]:
    return _text(sort.kind), _text(sort.group), _text(sort.site)


def _text(text: str) -> str:
    """Return text that SQLite can hold: names of a target may have lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()
