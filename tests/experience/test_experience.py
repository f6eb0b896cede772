"""From batches to lessons and back: what one run has seen, the next one knows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from ledger.kernel_model import FIRST_TABLE
from memprobe.abi import BirthHow, DeathHow
from memprobe.experience import Experience, Stand, recorded_normal, remembered
from memprobe.learned import Store
from memprobe.ledger import Ledger
from memprobe.models.growth import Shape
from memprobe.models.learning.habit import size_class
from memprobe.models.learning.normal import Normal, log_odds
from memprobe.vocab import rows
from memprobe.vocab.batch import Batch, Handles
from memprobe.vocab.kinds import HandleKind
from memprobe.vocab.sort import Sort
from memprobe.vocab.stack import Frame, Stack
from memprobe.vocab.subject import What

PID, PROGRAM = 7, "/srv/app.py"
SECOND = 1_000_000_000
STACK = Stack((Frame("open", "/usr/lib/python3.11/pathlib.py", 10), Frame("handle", "/srv/app.py", 12)), True)
SITE = "srv/app.py:handle"
EXTENSIONS = (".tmp", ".py", ".zzz")
TEMPORARY, SOURCE, STRANGE = (Sort("file", group, SITE) for group in EXTENSIONS)
KEPT = -1
"""A lifetime that does not end."""

Opened = tuple[float, str, float]
"""When, the extension, and how many seconds it stays open."""


class Run:
    """A made-up run: files that are opened and closed, and a sample every second."""

    def __init__(
        self, opened: Sequence[Opened], seconds: int, normal: Normal | None = None, cut: int = 10
    ) -> None:
        self.ledger = Ledger(tree=False)
        self.experience = Experience(PID, normal=normal)
        births, deaths, paths = _events(opened, seconds)
        step = SECOND // cut
        for begin_ns in range(SECOND, (seconds + 1) * SECOND, step):
            self._fold(births, deaths, paths, begin_ns, begin_ns + step)

    def _fold(
        self, births: rows.Rows, deaths: rows.Rows, paths: list[bytes], begin_ns: int, end_ns: int
    ) -> None:
        own = (births["time_ns"] >= begin_ns) & (births["time_ns"] < end_ns)
        ended = (deaths["time_ns"] >= begin_ns) & (deaths["time_ns"] < end_ns)
        sampled = rows.unmeasured(int(end_ns % SECOND == 0))
        sampled["pid"], sampled["time_ns"] = PID, end_ns
        batch = Batch(
            "made",
            begin_ns,
            end_ns,
            end_ns,
            births=births[own],
            paths=b"".join(path for path, chosen in zip(paths, own, strict=True) if chosen),
            deaths=deaths[ended],
            stacks={1: STACK} if begin_ns == SECOND else {},
            samples=sampled,
        )
        self.experience.fold(self.ledger, self.ledger.fold(batch), batch.samples)

    def hand_on(self, path: Path, *stands: Stand) -> tuple[str, ...]:
        return self.experience.hand_on(PROGRAM, self.ledger, stands, (), path)


def _events(opened: Sequence[Opened], seconds: int) -> tuple[rows.Rows, rows.Rows, list[bytes]]:
    births, paths, deaths = np.zeros(len(opened), rows.BIRTH), [], []
    for number, (at_s, extension, stays_s) in enumerate(opened):
        births[number]["time_ns"], births[number]["descriptor"] = SECOND + int(at_s * SECOND), 3 + number
        paths.append(f"/srv/data/{number}{extension}".encode())
        if stays_s != KEPT and at_s + stays_s < seconds:
            deaths.append((births[number]["time_ns"] + int(stays_s * SECOND), 3 + number))
    births["pid"], births["files"], births["stack_id"], births["weight"] = PID, FIRST_TABLE, 1, 1
    births["how"], births["path_bytes"] = BirthHow.OPEN, list(map(len, paths))
    ended = np.zeros(len(deaths), rows.DEATH)
    for number, (time_ns, descriptor) in enumerate(deaths):
        ended[number]["time_ns"], ended[number]["first"], ended[number]["last"] = (
            time_ns,
            descriptor,
            descriptor,
        )
    ended["files"], ended["how"], ended["pid"] = FIRST_TABLE, DeathHow.CLOSE, PID
    return births, ended, paths


def requests(stays_s: float, seconds: int = 30) -> list[Opened]:
    """Of each extension one every second."""
    return [(second + 0.1, extension, stays_s) for second in range(seconds - 2) for extension in EXTENSIONS]


def steady(sort: Sort, count: int = 20, shape: Shape = Shape.FLAT, probability: float = 0.01) -> Stand:
    return Stand(What.HANDLES, sort, count, shape, probability)


def test_the_same_program_watched_three_times(tmp_path: Path) -> None:
    """What is opened and closed in each run is odd if it stays open in the fourth; what is kept is not."""
    path = tmp_path / "learned.sqlite3"
    fresh = {sort: Normal().weighed(0.8, sort).confidence for sort in (TEMPORARY, SOURCE, STRANGE)}
    assert fresh[TEMPORARY] > 0.82 > fresh[STRANGE] > 0.78 > fresh[SOURCE]
    kept = [(1.0, ".py", KEPT)] * 20
    history = []
    for _ in range(3):
        normal = remembered(PROGRAM, path).normal
        history.append({sort: normal.weighed(0.8, sort).confidence for sort in fresh})
        run = Run([*requests(0.2), *kept], 30, normal)
        assert run.hand_on(path, steady(Sort("file", ".py", SITE))) == ()
    known = remembered(PROGRAM, path).normal
    after = {sort: known.weighed(0.8, sort) for sort in fresh}
    assert history[0] == fresh
    for sort, sharper in ((TEMPORARY, True), (STRANGE, True), (SOURCE, False)):
        steps = [log_odds(one[sort]) for one in history] + [log_odds(after[sort].confidence)]
        assert steps == sorted(steps, reverse=not sharper)
        assert abs(steps[3] - steps[0]) > 0.2
    assert "3 of 3 earlier runs" in after[STRANGE].evidence[0]
    assert known.needed(STRANGE, 60).probability < 0.1 < 0.9 < known.needed(STRANGE, 0.1).probability
    assert known.needed(SOURCE, 60).probability > known.needed(STRANGE, 60).probability + 0.1


def test_the_second_run_is_held_to_what_the_first_ones_said(tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite3"
    for stays_s in (0.2, 0.2, 0.2, KEPT):
        run = Run(requests(stays_s, 20), 20, remembered(PROGRAM, path).normal)
        run.hand_on(path, steady(STRANGE))
    protection = remembered(PROGRAM, path).normal.protection(STRANGE)
    assert (round(protection.right, 2), round(protection.wrong, 2)) == (1, 1)


def test_a_leak_that_is_watched_often_becomes_no_habit(tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite3"
    for _ in range(3):
        run = Run(requests(KEPT), 30, remembered(PROGRAM, path).normal)
        run.hand_on(path, steady(STRANGE, 80, Shape.STEADY, 0.9))
    normal = remembered(PROGRAM, path).normal
    assert normal.weighed(0.8, STRANGE, count=80).confidence == pytest.approx(0.8)
    assert normal.protection(STRANGE).runs == 0
    assert normal.habits[STRANGE].counts.total == 0


@pytest.mark.parametrize("shape", [Shape.UNSURE, Shape.WARM_UP, Shape.STEADY, Shape.STEPS])
def test_only_a_number_that_rests_is_usual(tmp_path: Path, shape: Shape) -> None:
    path, cache = tmp_path / "learned.sqlite3", Sort("container", "dict", "app.CACHE")
    for _ in range(3):
        run = Run([], 3)
        run.hand_on(path, Stand(What.CONTAINER, cache, 900, shape, 0.05))
    assert cache not in remembered(PROGRAM, path).normal.habits
    for _ in range(3):
        Run([], 3).hand_on(path, Stand(What.CONTAINER, cache, 900, Shape.BOUNDED, 0.0))
    normal = remembered(PROGRAM, path).normal
    assert normal.weighed(0.8, cache, count=850).confidence < 0.7
    assert normal.weighed(0.8, cache, count=5000).confidence == pytest.approx(0.8)


def test_how_batches_are_cut_does_not_matter() -> None:
    opened = [*requests(0.35, 12), *requests(3.0, 12), (2.0, ".log", KEPT)]
    coarse, fine = (Run(opened, 12, cut=cut).experience.lifetimes for cut in (1, 50))
    assert set(coarse) == set(fine)
    assert all(coarse[sort] == fine[sort] for sort in coarse)
    assert coarse[STRANGE].ended.total == 19
    assert coarse[STRANGE].ended.quantile(0.25) == pytest.approx(0.35, rel=0.03)
    assert coarse[Sort("file", ".log", SITE)].alive.quantile(1.0) == pytest.approx(10.0, rel=0.03)


def test_large_files_that_live_longer_are_learned(tmp_path: Path) -> None:
    path, run = tmp_path / "learned.sqlite3", Run(requests(1.5, 20), 2)
    births, deaths, paths = _events([(0.1, ".csv", 600.0), (0.2, ".csv", 2.0)], 1000)
    run.ledger.fold(Batch("made", 0, SECOND, SECOND, births=births, paths=b"".join(paths), stacks={1: STACK}))
    shown = np.zeros(2, rows.OPEN_HANDLE)
    shown["descriptor"], shown["kind"], shown["inode"] = [3, 4], HandleKind.FILE, [11, 12]
    shown["size_bytes"] = [1 << 30, 1000]
    picture = Handles(PID, 2 * SECOND, 2 * SECOND, shown, ("/srv/0.csv", "/srv/1.csv"))
    run.ledger.fold(Batch("made", SECOND, 3 * SECOND, 3 * SECOND, handles=(picture,)))
    end_ns = 700 * SECOND
    sampled = rows.unmeasured(1)
    sampled["pid"], sampled["time_ns"] = PID, end_ns
    batch = Batch("made", 3 * SECOND, end_ns, end_ns, deaths=deaths, samples=sampled)
    run.experience.fold(run.ledger, run.ledger.fold(batch), batch.samples)
    run.hand_on(path)
    habit = remembered(PROGRAM, path).normal.habits[Sort("file", ".csv", SITE)]
    assert habit.life_by_size == {size_class(1 << 30): 600.0, size_class(1000): 2.0}
    assert habit.sizes.quantile(1.0) == pytest.approx(1 << 30, rel=0.03)
    with Store(path) as store:
        assert {one.size_bytes for one in store.observed(PROGRAM) if one.sort.group == ".csv"} == {
            1 << 30,
            1000,
        }


def test_a_recording_has_all_that_the_run_knew(tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite3"
    Run(requests(0.2), 30).hand_on(path)
    known = remembered(PROGRAM, path).normal
    again = recorded_normal({"learned": known.as_json()})
    assert again.weighed(0.8, STRANGE) == known.weighed(0.8, STRANGE)
    assert again.needed(STRANGE, 9) == known.needed(STRANGE, 9)
    assert recorded_normal({}).as_json() == Normal().as_json()


def test_what_cannot_be_opened_is_said_and_nothing_more(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    inside = tmp_path / "file" / "learned.sqlite3"
    known = remembered(PROGRAM, inside)
    assert known.normal.as_json() == Normal().as_json()
    assert known.remarks[0].startswith("Nothing is known of earlier runs:")
    assert Run([], 2).hand_on(inside)[0].startswith("Nothing of this run is remembered:")


def test_damage_in_a_habit_costs_that_habit_alone(tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite3"
    Run(requests(0.2), 30).hand_on(path)
    before = remembered(PROGRAM, path).normal.habits
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE habits SET state = '{\"runs\": -3}' WHERE grp = '.zzz'")
        database.execute("INSERT INTO opinions VALUES (NULL, 'a', 'nonsense', '', 0)")
        database.commit()
    known = remembered(PROGRAM, path)
    assert set(before) - set(known.normal.habits) == {STRANGE, Sort("file", ".zzz")}
    assert known.normal.opinions == ()
    Run(requests(0.2), 30).hand_on(path)
    assert set(remembered(PROGRAM, path).normal.habits) == set(before)


def test_a_clock_that_jumps_does_not_wipe_out_what_was_learned(tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite3"
    Run(requests(0.2), 30).hand_on(path)
    now = remembered(PROGRAM, path).normal.habits[STRANGE].runs
    century = remembered(PROGRAM, path, now_s=5e9).normal.habits[STRANGE].runs
    past = remembered(PROGRAM, path, now_s=0.0).normal.habits[STRANGE].runs
    assert now == pytest.approx(1.0)
    assert past == pytest.approx(1.0)
    assert century == pytest.approx(1 / 16)
