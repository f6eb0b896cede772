"""The store: several runs at once, kills at any moment, and files that are something else."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from memprobe.detectors.patterns.library import built_in, library
from memprobe.learned import Known, Lessons, Observed, Reported, Said, Store, StoreFailed
from memprobe.learned import format as limits
from memprobe.learned.opening import default_path
from memprobe.vocab.sort import Sort
from patience import PATIENCE_S

LOG = Sort("file", ".log", "app/log.py:open")
DAY_S = 86_400.0

WRITER = """
import sys
from pathlib import Path
from memprobe.learned import Lessons, Store
from memprobe.vocab.sort import Sort

path, runs = Path(sys.argv[1]), int(sys.argv[2])
count = lambda before, lesson, elapsed_s: {"runs": (before or {"runs": 0})["runs"] + lesson["runs"]}
for number in range(runs):
    with Store(path) as store:
        for remark in store.remarks:
            print(remark, flush=True)
        habits = {Sort("file", f".{letter}"): {"runs": 1} for letter in "abcdefgh"}
        store.learn("app.py", Lessons(habits), count, float(number))
    print(number, flush=True)
"""


def added(before: Any, lesson: Any, elapsed_s: float) -> dict[str, float]:
    return {"runs": (before or {"runs": 0})["runs"] + lesson["runs"], "elapsed_s": elapsed_s}


def start_writer(path: Path, runs: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(runs)], stdout=subprocess.PIPE, text=True
    )


def learn(path: Path, now_s: float = 0.0, program: str = "app.py") -> tuple[str, ...]:
    with Store(path) as store:
        store.learn(program, Lessons({LOG: {"runs": 1}}), added, now_s)
        return store.remarks


def states(path: Path) -> list[Any]:
    with Store(path) as store:
        return [known.state for known in store.habits()]


def test_what_was_learned_is_there_at_the_next_run_and_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "memprobe" / "learned.sqlite3"
    learn(path, 10.0)
    learn(path, 25.0)
    assert states(path) == [{"runs": 2, "elapsed_s": 15.0}]
    with Store(path) as store:
        assert store.programs() == [("app.py", 2, 10.0, 25.0)]
        modes = {entry.name: entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()}
        assert set(modes) >= {"learned.sqlite3", "learned.sqlite3-wal"}
        assert set(modes.values()) == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_it_lies_under_the_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "memprobe" / "learned.sqlite3"
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_path() == tmp_path / "home" / ".local" / "state" / "memprobe" / "learned.sqlite3"


def test_a_user_without_a_home_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs as a number: nothing is learned, and the patterns are memprobe's own."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)
    with pytest.raises(StoreFailed, match="set XDG_STATE_HOME"):
        Store()
    assert library.__wrapped__().patterns == built_in()


def test_eight_runs_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite3"
    writers = [start_writer(path, 10) for _ in range(8)]
    said = [writer.communicate(timeout=PATIENCE_S)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 8
    assert said == [[str(number) for number in range(10)]] * 8  # nobody found anything broken
    assert states(path) == [{"runs": 80}] * 8


def test_it_survives_kills_at_any_moment(tmp_path: Path) -> None:
    path, chance, told = tmp_path / "learned.sqlite3", random.Random(5), 0
    for _ in range(15):
        writer = start_writer(path, 100_000)
        assert writer.stdout is not None
        told += 1 + sum(1 for _ in range(chance.randrange(12)) if writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        told += len(writer.communicate()[0].split()) - 1
    runs = {state["runs"] for state in states(path)}
    assert len(runs) == 1  # a run is there with all it had to say, or not at all
    assert told <= runs.pop() <= told + 15  # killed after the commit and before it could say so
    assert sorted(entry.name for entry in tmp_path.iterdir() if "broken" in entry.name) == []


def test_a_file_that_was_only_just_made_is_used(tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite3"
    path.touch()
    assert learn(path) == ()
    assert len(states(path)) == 1


@pytest.mark.parametrize("way", ["text", "cut", "overwritten", "other", "foreign"])
def test_a_broken_store_is_kept_aside(tmp_path: Path, way: str) -> None:
    path = tmp_path / "learned.sqlite3"
    learn(path)
    damage(path, way)
    before = path.read_bytes()
    (remark,) = learn(path)
    assert "learned.sqlite3.broken-1" in remark
    assert (tmp_path / "learned.sqlite3.broken-1").read_bytes() == before
    assert states(path) == [{"runs": 1, "elapsed_s": 0.0}]
    damage(path, way)
    assert "learned.sqlite3.broken-2" in learn(path)[0]


def damage(path: Path, way: str) -> None:
    if way == "text":
        path.write_text("hello " * 100)
    elif way == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    elif way == "overwritten":
        path.write_bytes(path.read_bytes()[:4096] + os.urandom(8192))
    else:
        path.unlink()
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE addresses (name TEXT)")
            database.execute(f"PRAGMA application_id = {7 if way == 'foreign' else 0}")
            database.commit()


def test_a_newer_store_is_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite3"
    learn(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {limits.VERSION + 1}")
    (remark,) = learn(path)
    assert f"format {limits.VERSION + 1}" in remark
    with closing(sqlite3.connect(tmp_path / "learned.sqlite3.newer-1")) as database:
        assert database.execute("SELECT count(*) FROM habits").fetchone() == (1,)


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "learned.sqlite3"
    path.symlink_to(elsewhere)
    with pytest.raises(StoreFailed, match="symbolic"):
        Store(path)
    assert not elsewhere.exists()


def test_the_last_thousand_observations_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite3"
    with Store(path) as store:
        for run in range(3):
            seen = [Observed(LOG, float(number + 600 * run), None, ended=True) for number in range(600)]
            store.learn("app.py", Lessons({}, seen), added, float(run))
        store.learn("other.py", Lessons({}, seen[:1]), added, 4.0)
        ages = [one.age_s for one in store.observed("app.py")]
        assert ages == [float(age) for age in range(800, 1800)]
        assert store.observed("other.py") == seen[:1]


def test_it_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_HABITS", 10)
    monkeypatch.setattr(limits, "MAX_ALL_HABITS", 25)
    monkeypatch.setattr(limits, "MAX_PROGRAMS", 4)
    path = tmp_path / "learned.sqlite3"
    with Store(path) as store:
        for run in range(12):
            habits = {Sort("file", "", f"site {run} {number}"): {"runs": 1} for number in range(8)}
            store.learn(f"app{run % 6}.py", Lessons(habits), added, float(run))
        assert [row[0] for row in store.programs()] == ["app5.py", "app4.py", "app3.py", "app2.py"]
        kept = store.habits()
        assert len(kept) == 25
        assert min(known.updated_s for known in kept) == 8
        store.learn(
            "app5.py", Lessons({Sort("file", "", f"{n}"): {"runs": 1} for n in range(5)}), added, 20.0
        )
        assert len(store.habits("app5.py")) == 10
        for days in (1, 2):
            store.learn("app5.py", Lessons({}), added, (limits.MAX_DAYS + days) * DAY_S)
        assert store.habits() == []


def test_one_run_by_a_clock_that_is_ahead_by_years_costs_nothing(tmp_path: Path) -> None:
    habit = {Sort("file", ".log"): {"runs": 1}}
    with Store(tmp_path / "learned.sqlite3") as store:
        store.learn("other.py", Lessons(habit), added, 100 * DAY_S)
        store.learn("app.py", Lessons(habit), added, 30_000 * DAY_S)
        store.learn("app.py", Lessons(habit), added, 101 * DAY_S)
        assert {known.program for known in store.habits()} == {"app.py", "other.py"}


def test_words_and_findings_are_kept_and_a_reset_forgets(tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite3"
    found = Reported("app.py", "handles-1", "handles", "files pile up", "app/log.py:open", 0.9, 3.0)
    with Store(path) as store:
        store.learn("app.py", Lessons({LOG: {"runs": 1}}, findings=[found]), added, 3.0)
        store.learn("b.py", Lessons({LOG: {"runs": 1}}), added, 4.0)
        store.say(Said(".tmp", "confirmed", "again \udcff", 5.0))
        assert store.findings() == [found]
        assert store.opinions() == [Said(".tmp", "confirmed", "again \\udcff", 5.0)]
        assert store.reset("app.py") == 1
        assert [known.program for known in store.habits()] == ["b.py"]
        assert len(store.opinions()) == 1
        assert store.reset() == 1
        assert (store.habits(), store.opinions(), store.programs()) == ([], [], [])


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite3"
    learn(path)

    def fails(before: Any, lesson: Any, elapsed_s: float) -> dict[str, float]:
        raise ValueError("no")

    with Store(path) as store:
        with pytest.raises(ValueError, match="no"):
            store.learn("app.py", Lessons({LOG: {"runs": 1}}), fails, 1.0)
        assert store.programs() == [("app.py", 1, 0.0, 0.0)]
        with store.change():
            store.merge_habit(Known("app.py", LOG, {"runs": 5}, 9.0), added)
    assert states(path) == [{"runs": 6, "elapsed_s": 9.0}]


def test_a_habit_that_is_no_json_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite3"
    learn(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE habits SET state = ?", ("{" + json.dumps("x"),))
        database.commit()
    assert states(path) == []
    learn(path)
    assert states(path) == [{"runs": 1, "elapsed_s": 0.0}]
