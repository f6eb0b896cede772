"""A report goes on from the last state in the file, and is what folding all batches comes to."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memprobe.config import DEFAULTS, Config, Recorded
from memprobe.config.places import Place
from memprobe.recording import RecordingQueue, RecordingReader, RecordingWriter, State
from memprobe.recording.packing import packed_object
from memprobe.recording.states import APART_NS, add_state
from memprobe.session import Window, replayed
from memprobe.session.keeping import Keeper
from memprobe.session.replay import ALWAYS_NS, Replay
from memprobe.session.states import Standing, last_standing, state_of
from memprobe.views.history import History
from memprobe.views.html.contents import contents
from memprobe.views.report import document
from memprobe.views.story import Story
from recording.writing import FACTS, NS, batch

RECORDINGS = Path(__file__).resolve().parent.parent / "golden" / "recordings"
NAMES = ("caches-reports-fast", "format-1")
STORED_AT = (0.3, 0.5, 0.9)
"""At these parts of a recording states are stored; the second gives way to the third."""


def standing(run: Replay, history: History) -> Standing:
    """What a replay has come to."""
    return Standing(run.ledger, run.experience, run.verdicts, history)


def recorded_again(path: Path, name: str) -> list[int]:
    """Write a golden recording again, with states as its run would store them; return their batches."""
    old = path.with_name("old.mprobe")
    old.write_bytes(gzip.decompress((RECORDINGS / f"{name}.mprobe.gz").read_bytes()))
    with RecordingReader(old) as reader, RecordingWriter(path, reader.facts) as writer:
        found, history = list(iter(reader.poll, None)), History()
        run = Replay(reader, None, history)
        due = [int(part * len(found)) for part in STORED_AT]
        for number, one in enumerate(found):
            writer.write(one)
            run.fold(one)
            if number in due:
                writer.write_state(state_of(standing(run, history)))
    return states(path)


def states(path: Path) -> list[int]:
    """The batches of which there is a state."""
    return [batch for (batch,) in asked(path, "SELECT batch FROM states ORDER BY batch")]


def asked(path: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Ask the file, or change it."""
    with closing(sqlite3.connect(path)) as database, database:
        return database.execute(query, values).fetchall()


def told(path: Path, window: Window | None = None) -> dict[str, Any]:
    """What the page of a file shows: the report, and the history."""
    history = History()
    ledger, run = replayed(path, None, history, window=window)
    found: dict[str, Any] = json.loads(json.dumps(contents(Story(document(ledger, run), ledger, history))))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_from_every_state_it_is_the_same_report(tmp_path: Path, name: str) -> None:
    path = tmp_path / "run.mprobe"
    first, last = recorded_again(path, name)
    found = [told(path)]
    asked(path, "DELETE FROM columns WHERE batch <= ?", first)  # what is before a state is not asked for
    found.append(told(path))
    asked(path, "DELETE FROM states WHERE batch = ?", last)
    found.append(told(path))
    whole = told(tmp_path / "old.mprobe")
    assert whole["report"]["evidence"]["events"] > 0
    for one in found:
        assert one == whole


WINDOWS = (Window(None, 30), Window(36, 40), Window(-5, None))


def test_a_window_goes_on_from_a_state_before_it(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    recorded_again(path, NAMES[0])
    for window in WINDOWS:
        assert told(path, window) == told(tmp_path / "old.mprobe", window)


SPOILT: tuple[dict[str, object], ...] = (
    {"made_by": "0123"},
    {"made_by": b"\xff"},
    {"data": b"nothing"},
    {"data": zlib.compress(b"nothing")},
    {"data": zlib.compress(packed_object((1, 2, 3, 4)))},
    {"end_ns": 1},
    {"end_ns": "soon"},
)


def test_a_state_that_cannot_be_taken_up_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    recorded_again(path, NAMES[0])
    with RecordingReader(path) as reader:
        assert last_standing(reader, ALWAYS_NS, DEFAULTS, with_history=True) is not None
    for number, changes in enumerate(SPOILT):
        spoilt = tmp_path / str(number)
        shutil.copyfile(path, spoilt)
        for name, value in changes.items():
            asked(spoilt, f"UPDATE states SET {name} = ?", value)
        with RecordingReader(spoilt) as reader:
            assert last_standing(reader, ALWAYS_NS, DEFAULTS, with_history=True) is None, changes
            assert reader.poll() is not None


def test_a_state_of_another_batch_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    recorded_again(path, NAMES[0])
    asked(path, "UPDATE states SET batch = batch - 1")
    assert told(path) == told(tmp_path / "old.mprobe")


def said(key: str, value: Any) -> Config:
    """Somebody sets something for the report."""
    return Config.of({key: value}, places={key: Place(where="--option")})


def test_with_other_settings_all_is_judged_anew(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    recorded_again(path, NAMES[0])
    price = said("report.usd_per_gb_hour", 5.0)
    reports = [document(*replayed(one, price)) for one in (path, tmp_path / "old.mprobe")]
    assert reports[0] == reports[1]
    assert reports[0]["cost_usd_per_month"] > document(*replayed(path))["cost_usd_per_month"]


def test_one_an_hour_stays_and_the_last(tmp_path: Path) -> None:
    path, step_ns = tmp_path / "run.mprobe", APART_NS // 4
    with RecordingWriter(path, FACTS) as writer:
        for second in range(1, 23):
            writer.write(batch(second))
            writer.write_state(State(second * step_ns, "x", b""))
    assert states(path) == [1, 5, 9, 13, 17, 21, 22]


def test_a_file_of_before_there_were_states_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    recorded_again(path, NAMES[1])
    asked(path, "DROP TABLE states")
    assert told(path) == told(tmp_path / "old.mprobe")


def test_a_run_that_has_dropped_something_stores_none(tmp_path: Path) -> None:
    path = tmp_path / "run.mprobe"
    queue = RecordingQueue(RecordingWriter(path, FACTS), limit_bytes=1000)
    queue.write(batch(1))
    queue.write_state(State(NS, "x", b""))
    queue.close()
    assert states(path) == []


@pytest.mark.parametrize(("keeping", "count"), [({}, 1), ({"redact": True}, 0), ({"ring_minutes": 1.0}, 0)])
def test_what_must_not_be_in_the_file_is_in_no_state(
    tmp_path: Path, keeping: dict[str, Any], count: int
) -> None:
    path = tmp_path / "run.mprobe"
    keeper = Keeper(path, FACTS, Recorded(**keeping))
    keeper.queue.write(batch(1))
    with RecordingWriter(tmp_path / "other", FACTS), RecordingReader(tmp_path / "other") as reader:
        keeper.keep(standing(Replay(reader, None), History()))
        keeper.keep(standing(Replay(reader, None), History()), is_last=True)
    keeper.close()
    assert len(states(path)) == count


@pytest.mark.parametrize("attribute", ["populations", "now_ns"])
def test_a_state_that_somebody_has_made_up_is_no_harm(tmp_path: Path, attribute: str) -> None:
    path = tmp_path / "run.mprobe"
    recorded_again(path, NAMES[1])
    with RecordingReader(path) as reader:
        history = History()
        run = Replay(reader, None, history)
        run.take_up(ALWAYS_NS)
        state = state_of(standing(run, history))
    assert attribute.encode() in state.data
    spoilt = replace(
        state, data=state.data.replace(b'"' + attribute.encode(), b'"' + attribute[::-1].encode())
    )
    with closing(sqlite3.connect(path)) as database, database:
        batch = states(path)[-1]
        database.execute("DELETE FROM states")
        add_state(database, batch, spoilt)
    assert told(path) == told(tmp_path / "old.mprobe")
