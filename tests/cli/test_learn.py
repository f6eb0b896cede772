"""learn: what is shown, said, carried elsewhere and forgotten; and what attach does with it."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import pythons
from cli.running import complaint, document, run
from memprobe.learned import Lessons, Reported, Said, Store
from memprobe.models.learning.habit import Habit, merged
from memprobe.models.sketch import Sketch
from memprobe.vocab.sort import Sort

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "recordings"
PROGRAM = "/srv/shop/app.py #12ab34"
PLACE = Sort("file", ".tmp", "shop/app.py:upload")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state folder; commands are run with it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "memprobe" / "learned.sqlite3"


@pytest.fixture
def known(state: Path) -> Path:
    """A store that knows two programs."""
    usual = Sketch({100: 2.0})
    habit = Habit(life_s=1.5, counts=usual, runs=2, closed=2, right=1).as_json()
    finding = Reported(
        PROGRAM, "handles-1a2b", "handles", "9 files \x1b[31mstay open", PLACE.site, 0.9, 1.7e9
    )
    with Store(state) as store:
        store.learn(PROGRAM, Lessons({PLACE: habit}, findings=[finding]), merged)
        store.learn("worker.py", Lessons({PLACE: habit}), merged)
    return state


def said(state: Path) -> list[tuple[str, str, str]]:
    with Store(state) as store:
        return [(one.key, one.verdict, one.reason) for one in store.opinions()]


def test_nothing_is_known_at_first(state: Path) -> None:
    shown = document("learn", "show")
    assert (shown["schema"], shown["programs"], shown["opinions"]) == ("memprobe.known/1", [], [])
    assert "0 programs known" in run("learn", "show").stdout


def test_what_is_known_is_shown(known: Path) -> None:
    programs = document("learn", "show")["programs"]
    assert {row["program"]: (row["runs"], row["sorts"]) for row in programs} == {
        PROGRAM: (1, 1),
        "worker.py": (1, 1),
    }
    (program,) = document("learn", "show", "shop")["programs"]
    (row,) = program["habits"]
    assert (row["kind"], row["group"], row["site"]) == ("file", ".tmp", "shop/app.py:upload")
    assert (row["life_s"], row["runs"], row["right"]) == (
        1.5,
        pytest.approx(2, abs=0.01),
        pytest.approx(1, abs=0.01),
    )
    assert row["protection"] < 0.15
    text = run("learn", "show", "shop").stdout
    assert "shop/app.py:upload" in text
    assert "1.5 s" in text


def test_the_users_word_is_kept(known: Path) -> None:
    answer = run("learn", "feedback", "handles-1a2b", "false-positive", "--reason", "a pool")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "\x1b" not in answer.stdout
    assert "stay open" in answer.stdout
    run("learn", "feedback", ".tmp", "confirmed")
    assert said(known) == [("handles-1a2b", "false-positive", "a pool"), (".tmp", "confirmed", "")]
    assert "a pool" in run("learn", "show").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["feedback", "app.py:42", "confirmed"], "app.py:FUNCTION"),
        (["feedback", " ", "confirmed"], "KEY"),
        (["feedback", ".tmp", "maybe"], "false-positive"),
        (["show", "nobody"], "nothing is known"),
        (["show", "py"], "2 names"),
        (["reset"], "--all"),
        (["reset", "shop", "--all"], "--all"),
        (["import", "/nowhere"], "/nowhere"),
    ],
)
def test_wrong_usage_is_said_and_changes_nothing(known: Path, arguments: list[str], words: str) -> None:
    assert words in complaint(run("learn", *arguments), 2)
    assert said(known) == []


def test_what_is_exported_can_be_imported_elsewhere(
    known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("learn", "feedback", ".tmp", "confirmed")
    file = tmp_path / "known.json"
    assert run("learn", "export", str(file)).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(run("learn", "export").stdout)["programs"] == json.loads(file.read_text())["programs"]
    assert json.loads(run("learn", "export", "-").stdout)["programs"]
    before = document("learn", "show", "shop")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    for _ in range(2):  # a word is taken over once, what was counted is added up
        assert run("learn", "import", str(file)).returncode == 0
    after = document("learn", "show", "shop")
    assert [row["key"] for row in after["opinions"]] == [".tmp"]
    assert after["programs"][0]["runs"] == 2 * before["programs"][0]["runs"]
    assert complaint(run("learn", "export", str(file)), 8)


def test_a_damaged_document_is_refused(known: Path, tmp_path: Path) -> None:
    file = tmp_path / "known.json"
    for text in ("{", "[]", '{"schema": "memprobe.learned/1", "programs": {}}'):
        file.write_text(text)
        assert "nothing was imported" in complaint(run("learn", "import", str(file)), 2)


def test_what_is_forgotten_is_gone(known: Path) -> None:
    assert "1 programs" in run("learn", "reset", "shop").stdout
    assert [row["program"] for row in document("learn", "show")["programs"]] == ["worker.py"]
    run("learn", "reset", "--all")
    assert document("learn", "show")["programs"] == []


def test_a_broken_store_is_kept_aside_and_said(known: Path) -> None:
    known.write_text("hello")
    told = run("learn", "show")
    assert told.returncode == 0
    assert "learned.sqlite3.broken-1" in told.stderr
    assert (known.parent / "learned.sqlite3.broken-1").read_text() == "hello"


def test_a_state_folder_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert "XDG_STATE_HOME" in complaint(run("learn", "show"), 8)


SERVICE = """
import os, sys, tempfile, time
folder, held = tempfile.mkdtemp(), [open(__file__) for _ in range(3)]
print("ready", flush=True)
for line in sys.stdin:
    for number in range(int(line)):
        with open(os.path.join(folder, f"{number}.tmp"), "w"):
            pass
    print("done", flush=True)
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[pythons.Target]:
    """A program that opens and closes as many files as it is asked to."""
    script = tmp_path / "service.py"
    script.write_text(SERVICE)
    with pythons.own().spawn(script) as target:
        yield target


def test_a_run_is_remembered_and_known_to_its_recording(
    bpf: None, state: Path, service: pythons.Target, tmp_path: Path
) -> None:
    recording, program = tmp_path / "run.mprobe", str(tmp_path / "service.py")
    document("attach", service.pid, "--duration", "0.5", "--no-learn")
    assert not state.exists()
    with Store(state) as store:
        store.learn(program, Lessons({PLACE: Habit(runs=1, kept=1).as_json()}), merged)
        store.say(Said(".tmp", "false-positive", "said before", 0.0))
    report = document("attach", service.pid, "--duration", "1.5", "--record", str(recording))
    with closing(sqlite3.connect(recording)) as database:
        (learned,) = database.execute("SELECT value FROM facts WHERE name = 'learned'").fetchone()
    assert [one["reason"] for one in json.loads(learned)["opinions"]] == ["said before"]
    assert [one[:3] for one in json.loads(learned)["habits"]] == [["file", ".tmp", PLACE.site]]
    (known,) = document("learn", "show")["programs"]
    assert (known["runs"], known["program"]) == (2, program)
    assert known["sorts"] > 1
    state.unlink()
    assert document("report", str(recording)) == report


@pytest.fixture
def found(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A recording, and the id of what was found in it: an lru_cache on a method."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    recording = tmp_path / "run.mprobe"
    recording.write_bytes(gzip.decompress((GOLDEN / "caches-reports-fast.mprobe.gz").read_bytes()))
    (finding,) = json.loads((GOLDEN / "caches-reports-fast.json").read_text())["findings"]
    return recording, finding["id"]


def test_a_confirmed_finding_becomes_a_pattern_that_is_known_the_next_time(
    found: tuple[Path, str], tmp_path: Path
) -> None:
    recording, number = found
    assert "learn feedback" in complaint(run("learn", "pattern", number, str(recording)), 2)
    run("learn", "feedback", number, "confirmed")
    advice = ("--advice", "Ask Ann.", "--source", "https://example.org/7")
    told = run("learn", "pattern", number, str(recording), *advice)
    file = tmp_path / "config" / "memprobe" / "patterns" / f"own-{number}.toml"
    assert (told.returncode, told.stdout) == (0, f"{file} written\n")
    (finding,) = document("report", str(recording))["findings"]
    assert finding["known"]["pattern"] == f"own-{number}"
    text = run("report", str(recording)).stdout
    assert "Ask Ann." in text
    assert "https://example.org/7" in text


def test_a_report_is_as_good_as_a_recording(found: tuple[Path, str], tmp_path: Path) -> None:
    recording, number = found
    run("learn", "feedback", number, "confirmed")
    report = tmp_path / "report.json"
    report.write_text(run("report", str(recording), "--json").stdout)
    told = run("learn", "pattern", number, str(report), "-o", "-")
    assert told.stdout.startswith("[[pattern]]")
    assert "Report.pages" in told.stdout


def test_what_no_pattern_comes_of_is_said(found: tuple[Path, str], tmp_path: Path) -> None:
    recording, number = found
    run("learn", "feedback", number, "confirmed")
    (tmp_path / "none.json").write_text('{"findings": 7}')
    (tmp_path / "other.json").write_text('{"findings": []}')
    assert "no finding" in complaint(run("learn", "pattern", number, str(tmp_path / "other.json")), 2)
    assert "neither" in complaint(run("learn", "pattern", number, str(tmp_path / "none.json")), 2)
    (tmp_path / "odd.json").write_text(json.dumps({"findings": [{"id": number, "site": [7]}]}))
    assert "not written" in complaint(run("learn", "pattern", number, str(tmp_path / "odd.json")), 2)
    assert "/nowhere" in complaint(run("learn", "pattern", number, "/nowhere"), 2)
    http = run("learn", "pattern", number, str(recording), "--source", "http://example.org")
    assert "https://" in complaint(http, 2)


def test_a_broken_file_of_patterns_is_said_once_and_costs_itself_only(
    found: tuple[Path, str], tmp_path: Path
) -> None:
    recording, _ = found
    folder = tmp_path / "config" / "memprobe" / "patterns"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text('[[pattern]]\nid = "a-b"\ntitel = "x"\n')
    report = document("report", str(recording))
    (sentence,) = [one for one in report["evidence"]["invisible"] if "mine.toml" in one]
    assert "mine.toml:3: titel: there is no such key; did you mean title?" in sentence
    assert report["findings"][0]["known"]["pattern"] == "lru-cache-on-method"
