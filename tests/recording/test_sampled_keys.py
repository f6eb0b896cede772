"""`--with-keys`: without it no value of the target is in the file; with it a few keys are, and all say so."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

import pythons
from cli.running import complaint, document, run
from config.effects import grown_over_looks
from config.running import run_on
from memprobe.api.report import Report
from memprobe.config import DEFAULTS, Spoken, read_config
from memprobe.heap.containers import Watched
from memprobe.heap.looker.keys import CHARACTERS, MOST_KEYS, sampled_keys
from memprobe.ledger import Ledger
from memprobe.recording import RecordingReader
from memprobe.session.sampled_keys import HOLDER_CHARACTERS, MOST_HOLDERS, recorded_keys, told_keys
from memprobe.views.report_page import CONFIDENTIAL
from memprobe.vocab.subject import Subject, What
from target.attaching import attached

OFTEN = {"intervals.heap_early_s": 0.1, "budget.heap_pct": 6400.0, "run.learn": False}
SECRETS = (b"early-", b"token-", b"secret-")


@pytest.fixture(scope="module", params=[False, True], ids=["without", "with"])
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, targets: Path
) -> tuple[Path, bool]:
    """A recording of a service whose dictionary grew, without keys and with them; both with its heap."""
    path = tmp_path_factory.mktemp("keys") / "run.mprobe"
    config = DEFAULTS.having(OFTEN | {"record.with_keys": request.param, "record.heap": True})
    with pythons.own().spawn(targets / "keys_growing.py") as target, run_on(target.pid, config, path) as live:
        grown_over_looks(live, target)
    return path, request.param


def contents(path: Path) -> Iterator[bytes]:
    """Every value of every table, decompressed where it is compressed."""
    with closing(sqlite3.connect(path)) as database:
        common = [b"", *(zlib.decompress(data) for _, data in database.execute("SELECT * FROM dictionaries"))]
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        rows = (row for (name,) in tables for row in database.execute(f"SELECT * FROM {name}"))
        for value in chain.from_iterable(rows):
            if isinstance(value, bytes):
                yield value
                yield from (inflated(value, dictionary) for dictionary in common)
            else:
                yield str(value).encode("utf-8", "surrogatepass")


def inflated(blob: bytes, dictionary: bytes) -> bytes:
    with suppress(zlib.error):
        return zlib.decompressobj(zdict=dictionary).decompress(blob)
    return b""


def test_no_value_of_the_target_is_in_the_file_but_the_keys_that_were_asked_for(
    recorded: tuple[Path, bool],
) -> None:
    path, with_keys = recorded
    whole = b"\n".join(contents(path))
    assert b"ANSWERS" in whole
    assert [secret in whole for secret in SECRETS] == [False, with_keys, False]
    assert b"\x1b[2J" not in whole


def test_every_report_says_it(recorded: tuple[Path, bool], tmp_path: Path) -> None:
    path, with_keys = recorded
    report = document("report", path)
    assert (report["keys"] is not None) is with_keys
    assert Report.from_dict(report).to_dict() == report
    shown = run("report", path, "--full").stdout
    assert shown.startswith(CONFIDENTIAL) is with_keys
    assert ("token-" in shown) is with_keys
    assert "\x1b" not in shown
    run("report", path, "--html", tmp_path / "page.html", "--json-lines", tmp_path / "lines")
    assert (b"token-" in (tmp_path / "page.html").read_bytes()) is with_keys
    first = json.loads((tmp_path / "lines").read_text().splitlines()[0])
    assert (first["keys"] is not None) is with_keys


def test_few_of_the_newest_keys_and_whose_they_are(recorded: tuple[Path, bool]) -> None:
    path, with_keys = recorded
    with RecordingReader(path) as reader:
        keys = reader.facts["keys"]
    if not with_keys:
        assert keys is None
        return
    (own,) = [one["keys"] for one in keys if one["holder"] == "__main__.ANSWERS"]
    assert len(own) == MOST_KEYS
    assert all(key.startswith("'token-\\x1b[2J-") for key in own)
    numbers = [int(key.strip("'").rpartition("-")[2]) for key in own]
    assert numbers == list(range(numbers[0], numbers[0] + MOST_KEYS))


def test_it_is_said_before_anything_is_read(targets: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    with pythons.own().spawn(targets / "keys_growing.py") as target:
        done = run("record", target.pid, "-o", path, "--with-keys", "--no-learn", "--duration", "1")
    assert done.returncode == 0
    assert done.stderr.startswith("memprobe: --with-keys: keys of the program's dictionaries will stand in ")
    assert "leave out one of them" in complaint(
        run("record", "1", "-o", tmp_path / "other", "--with-keys", "--redact"), 2
    )


def test_what_is_made_up_is_bounded() -> None:
    row = {"holder": "h" * 100_000, "keys": ["k" * 10_000] * 10_000}
    found = recorded_keys({"keys": [*[row] * 10_000, 7]})
    assert found is not None
    assert len(found) <= MOST_HOLDERS
    assert max(len(one["holder"]) for one in found) <= HOLDER_CHARACTERS
    assert all(len(one["keys"]) <= MOST_KEYS for one in found)
    assert max(len(key) for one in found for key in one["keys"]) < 1000
    for nonsense in (None, 3, "x", {"a": 1}):
        assert recorded_keys({"keys": nonsense}) is None
    assert recorded_keys({"keys": [{}, {"holder": 1, "keys": 2}]}) == [
        {"holder": "None", "keys": []},
        {"holder": "1", "keys": []},
    ]


def test_escapes_are_neutralised() -> None:
    ledger = Ledger()
    ledger.populations.subjects[1] = Subject(What.CONTAINER, "t", holder="app.\x1b[2J")
    (told,) = told_keys({1: ["'\u202e'"], 2: ["'unknown'"]}, ledger)
    assert told == {"holder": "app.\\x1b[2J", "keys": ["'\\u202e'"]}


def test_of_what_is_protected_there_are_none() -> None:
    ledger = Ledger()
    ledger.populations.subjects[1] = Subject(What.CONTAINER, "t", holder="app.SECRETS['a']")
    ledger.populations.subjects[2] = Subject(What.CONTAINER, "t", holder="app.OTHERS")
    config = read_config(Spoken(protect=("holder=app.SECRETS[...] # private",)), {}, searches=False)
    assert [one["holder"] for one in told_keys({1: ["'k'"], 2: ["'k'"]}, ledger, config)] == ["app.OTHERS"]


def test_keys_of_all_sorts(interpreter: pythons.Interpreter, targets: Path) -> None:
    """Text that is cut, numbers, and others by their type; of what was taken out nothing."""
    with interpreter.spawn(targets / "keyed_by.py") as target, attached(target.pid) as python:
        one = Watched(int(target.ask("where")), 0, "dict", 0)
        ((name, keys),) = sampled_keys(python, [("kept", one), ("no dictionary", replace(one, type="list"))])
    assert name == "kept"
    assert keys[-6:] == [repr("x" * CHARACTERS), "7000", str(-(10**30)), "<tuple>", "<bytes>", "'€'"]
    assert keys[-8:-6] == ["997", "999"]
    assert len(keys) <= MOST_KEYS
