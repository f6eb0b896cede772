"""A run on a process whose main thread ends while others go on: it ends, too, and says why."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

import pytest

import pythons
from memprobe.config import DEFAULTS
from memprobe.session import Options, session
from memprobe.views.report import document
from memprobe.vocab.engines import LIBBPF, PROC, PTRACE
from patience import PATIENCE_S
from target.looking import needs_root


@pytest.mark.parametrize("engine", [PROC, PTRACE])
def test_the_run_ends_with_the_main_thread(engine: str, targets: Path) -> None:
    check(engine, targets)


@needs_root
@pytest.mark.usefixtures("bpf")
def test_with_probes_it_ends_too(targets: Path) -> None:
    check(LIBBPF, targets)


def check(engine: str, targets: Path) -> None:
    config = DEFAULTS.having({"run.engine": engine, "run.learn": False})
    with pythons.own().spawn(targets / "without_main_thread.py") as target:
        with session(target.pid, Options(config)) as run:
            ticks, end_s = count(), time.monotonic() + PATIENCE_S

            def go_on() -> bool:
                if next(ticks) == 3:
                    target.ask("end")
                return time.monotonic() < end_s

            run.run(go_on)
            told = document(run.ledger, run.report())
        assert target.ask("open") == "1", "nobody has harmed it"
    assert told["target"]["ended"].startswith("its main thread ended")
    assert "others run on" in told["target"]["ended"]
