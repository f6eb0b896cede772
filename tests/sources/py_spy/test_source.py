"""Growth by the stacks that py-spy takes: what is credited to whom, and what a py-spy that fails leaves."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pythons
from memprobe.abi import GrowthHow
from memprobe.config import DEFAULTS
from memprobe.session import Options, session
from memprobe.sources.py_spy import source as sampling
from memprobe.sources.py_spy.source import PySpySource, stacks_of
from memprobe.target.binary import runtime
from memprobe.target.inspection import py_spy
from memprobe.target.proc.process import Process, open_process
from memprobe.views.report import document
from memprobe.vocab.batch import Batch
from memprobe.vocab.stack import Frame, Stack
from patience import PATIENCE_S

MIB = 1 << 20


def frame(function: str) -> dict[str, Any]:
    return {"name": function, "filename": "/srv/app.py", "line": 7}


def thread(function: str, **more: bool) -> dict[str, Any]:
    return {"frames": [frame(function)], "active": False, "owns_gil": False, **more}


def stack(function: str) -> Stack:
    return Stack((Frame(function, "/srv/app.py", 7),), complete=True)


@pytest.mark.parametrize(
    ("threads", "running"),
    [
        ([thread("a", active=True), thread("b", active=True, owns_gil=True)], ["b"]),
        ([thread("a", active=True), thread("b"), thread("c", active=True)], ["a", "c"]),
        ([thread("a"), thread("b")], []),
        ([{"frames": "nonsense", "owns_gil": True}, {"frames": [], "active": True}], []),
    ],
)
def test_who_runs_is_credited(threads: list[dict[str, Any]], running: list[str]) -> None:
    assert stacks_of(threads) == [stack(one) for one in running]


@pytest.fixture
def process() -> Iterator[Process]:
    with open_process(os.getpid()) as found:
        yield found


def saying(folder: Path, script: str) -> str:
    program = folder / "py-spy"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def grown(source: PySpySource, monkeypatch: pytest.MonkeyPatch, amounts: list[int]) -> list[Batch]:
    """What is told while anonymous memory goes through these amounts; each is seen and answered."""
    now = [amounts[0]]
    monkeypatch.setattr(PySpySource, "_anonymous_bytes", lambda _: now[0])
    monkeypatch.setattr(sampling, "PAUSE_S", 0.0)
    monkeypatch.setattr(sampling, "SHARE", 1e9)
    source.start()
    told = []
    for now[0] in amounts:
        told.append(asked(source))
        deadline = time.monotonic() + PATIENCE_S
        while source._run is not None:
            assert time.monotonic() < deadline
            told.append(asked(source))
    source.close()
    return told


def asked(source: PySpySource) -> Batch:
    batch = source.poll()
    assert batch is not None
    return batch


def test_only_what_is_more_than_ever_is_growth(
    process: Process, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    threads = json.dumps([thread("load", active=True), thread("save", active=True)])
    source = PySpySource(process, saying(tmp_path, f"echo '{threads}'"))
    told = grown(source, monkeypatch, [10 * MIB, 20 * MIB, 12 * MIB, 20 * MIB + 1, 24 * MIB])
    growth = np.concatenate([batch.growth for batch in told])
    assert growth["grown_bytes"].tolist() == [5 * MIB, 5 * MIB, 2 * MIB, 2 * MIB]
    assert set(growth["how"].tolist()) == {GrowthHow.SAMPLED}
    assert growth["freed_bytes"].sum() == 0
    stacks = {number: one for batch in told for number, one in batch.stacks.items()}
    assert [stacks[number] for number in growth["stack_id"].tolist()] == 2 * [stack("load"), stack("save")]
    assert all("seen by py-spy" in batch.invisible[0] for batch in told)


@pytest.mark.parametrize(
    ("script", "words"),
    [("echo nonsense", "Expecting value"), ("echo broken >&2; exit 1", "broken"), ("exit 3", "ended with 3")],
)
def test_a_py_spy_that_fails_credits_nobody_and_is_told(
    process: Process, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, words: str
) -> None:
    source = PySpySource(process, saying(tmp_path, script))
    told = grown(source, monkeypatch, [10 * MIB, 20 * MIB])
    growth = np.concatenate([batch.growth for batch in told])
    assert (growth["stack_id"].tolist(), growth["grown_bytes"].tolist()) == ([0], [10 * MIB])
    assert words in told[-1].invisible[0]


def test_one_that_is_not_there_or_never_answers(
    process: Process, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(py_spy, "TIMEOUT_S", 0.2)
    for program in ("/no/such/program", saying(tmp_path, "exec sleep 1000")):
        told = grown(PySpySource(process, program), monkeypatch, [10 * MIB, 20 * MIB])
        assert "gives no stacks" in told[-1].invisible[0]


def test_a_python_that_memprobe_does_not_know(
    targets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its table is taken away: it is newer than all that are left."""
    interpreter = pythons.own()
    assert py_spy.find() is not None, "py-spy is among the packages that the tests bring"
    monkeypatch.setattr(runtime, "VERSIONS", ((3, 6), (3, 7)))
    config = DEFAULTS.having({"run.engine": "proc", "run.learn": False})
    recording = tmp_path / "run.mprobe"
    with (
        interpreter.spawn(targets / "growing_for_ever.py") as target,
        session(target.pid, Options(config, recording)) as run,
    ):
        deadline = time.monotonic() + PATIENCE_S
        run.run(lambda: time.monotonic() < deadline and not _sites(run.ledger))
        report = document(run.ledger, run.report())
    assert report["target"]["tier"] == 0
    (row, *_) = [one for one in report["growth"] if one["site"]]
    assert row["how"] == "py-spy"
    assert "take_more" in [one["function"] for one in row["site"]]
    told = " ".join(report["evidence"]["invisible"])
    assert f"the target runs CPython {interpreter.patch}" in told
    assert "seen by py-spy" in told


def _sites(ledger: Any) -> list[Any]:
    return [one for one in ledger.growth_sites() if one.site]
