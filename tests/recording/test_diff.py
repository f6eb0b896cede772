"""Two recordings held against each other: fixed, not fixed, worse, new."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memprobe.models.rates import rate
from memprobe.recording import RecordingWriter
from memprobe.views.differences import page
from memprobe.vocab import rows
from memprobe.vocab.subject import Subject, What
from recording.writing import FACTS, NS, batch

SECONDS = 80
HOLDERS = {1: "app.A", 2: "app.B", 3: "app.C", 4: "app.NOISE"}


def write(path: Path, per_s: dict[int, float], seed: int, closed: int = 10) -> str:
    """A service whose holders grow so fast; NOISE goes up and down."""
    chance = random.Random(seed)
    with RecordingWriter(path, FACTS) as writer:
        for second in range(1, SECONDS + 1):
            counted = np.zeros(len(HOLDERS), rows.POPULATION)
            counted["time_ns"], counted["pid"], counted["subject_id"] = (second + 1) * NS, 7, list(HOLDERS)
            counts = [1000 + int(per_s.get(number, 0.0) * second) for number in HOLDERS]
            counts[3] += chance.randrange(200)
            counted["count"] = counts
            subjects = {
                number: Subject(What.CONTAINER, "str", holder=holder) for number, holder in HOLDERS.items()
            }
            made = replace(batch(second, closed), populations=counted)
            writer.write(replace(made, subjects=subjects) if second == 1 else made)
    return str(path)


def diff(*arguments: str) -> tuple[int, dict[str, Any]]:
    memprobe = Path(sys.executable).with_name("memprobe")
    done = subprocess.run([memprobe, "diff", *arguments, "--json"], capture_output=True, text=True)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def changes(document: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: row["change"] for row in document["rows"] if row["sort"] == "entries"}


def test_what_became_of_it(tmp_path: Path) -> None:
    before = write(tmp_path / "before", {1: 10, 2: 10}, seed=1)
    after = write(tmp_path / "after", {2: 30, 3: 5}, seed=2, closed=9)
    code, document = diff(before, after, "--fail-on", "worse")
    assert code == 1
    assert changes(document) == {"str app.A": "fixed", "str app.B": "worse", "str app.C": "new"}
    (place,) = (row for row in document["rows"] if row["sort"] == "handles" and row["site"])
    assert (place["change"], place["after_per_s"]) == ("new", pytest.approx(1, abs=0.1))
    assert place["site"][0]["function"] == "work"
    code, document = diff(before, before, "--fail-on", "worse")
    assert (code, set(changes(document).values())) == (0, {"not fixed"})


def test_two_moments_of_one(tmp_path: Path) -> None:
    path = write(tmp_path / "run", {1: 10}, seed=3)
    _, document = diff(f"{path}@0..40", f"{path}@40..")
    assert changes(document) == {"str app.A": "not fixed"}


def test_a_window_that_is_longer_than_the_recording(tmp_path: Path) -> None:
    path = write(tmp_path / "run", {1: 10}, seed=3)
    _, document = diff(f"{path}@-1h..", f"{path}@..1h")
    assert changes(document) == {"str app.A": "not fixed"}


def test_what_is_too_short_is_not_said_to_be_fine(tmp_path: Path) -> None:
    path = write(tmp_path / "run", {1: 10}, seed=3)
    _, document = diff(path, f"{path}@..4")
    assert document["rows"] == []
    assert "after: too short to tell what grows" in list(page(document))


def test_noise_is_no_growth() -> None:
    chance = random.Random(7)
    for _ in range(300):
        values = [1000.0 + chance.gauss(0, 50) for _ in range(17)]
        assert not rate(list(range(17)), values).grows(0.0)


def test_too_little_says_nothing() -> None:
    assert not rate([0, 1, 2], [0, 100, 200]).is_known
    assert not rate([0, 1], [None, 5]).grows(0.0)
    assert rate([float(at) for at in range(10)], [7.0 * at for at in range(10)]).grows(1.0)
