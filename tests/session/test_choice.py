"""Which engine a run has: the one that is named, or the best that works, and why."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pythons
from cli.running import complaint, document, run
from cli.test_attach import wait_for
from cli.test_run import finished, launched
from cli.unprivileged import needs_root
from memprobe.config import DEFAULTS
from memprobe.errors import MemprobeError, NoKernelSupport, NotPermitted
from memprobe.session import engines
from memprobe.session.engines import Choice, started_engine
from memprobe.vocab.engines import ENGINES

REFUSED = NotPermitted("the kernel says no", remedy="ask it again")
WITHOUT_BPF = ("setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin", "--")


@dataclass
class MadeUp:
    """An engine that works, or says why not."""

    refusal: MemprobeError | None = None
    calls: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.calls.append("start")
        self.check()

    def check(self) -> None:
        if self.refusal is not None:
            raise self.refusal


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> dict[str, MadeUp]:
    """The engines by name: what is put in here is found there."""
    made: dict[str, MadeUp] = {}
    for name in engines.ROOMS:
        room = SimpleNamespace(
            open_engine=lambda *_, name=name: made[name], check_engine=lambda _, name=name: made[name].check()
        )
        monkeypatch.setitem(engines.ROOMS, name, f"engine_{name}")
        monkeypatch.setitem(sys.modules, f"engine_{name}", room)
    return made


def chosen(name: str) -> Choice:
    nobody: Any = None
    return started_engine(nobody, None, DEFAULTS.having({"run.engine": name}))


def test_the_first_that_works_is_taken(rooms: dict[str, MadeUp]) -> None:
    rooms["libbpf"] = MadeUp()
    choice = chosen("auto")
    assert (choice.name, choice.why) == ("libbpf", "works here")
    assert choice.invisible == ()
    assert rooms["libbpf"].calls == ["start"]
    started: Any = choice.engine
    assert started is rooms["libbpf"]


def test_one_that_does_not_work_makes_room_for_the_next(rooms: dict[str, MadeUp]) -> None:
    rooms |= {"libbpf": MadeUp(NoKernelSupport("no BTF")), "bcc": MadeUp()}
    choice = chosen("auto")
    assert (choice.name, choice.why) == ("bcc", "not libbpf: no BTF")
    assert choice.invisible == ()


def test_what_stops_a_process_is_offered_and_not_taken(rooms: dict[str, MadeUp]) -> None:
    rooms |= {"libbpf": MadeUp(NoKernelSupport("no BTF")), "bcc": MadeUp(REFUSED), "ptrace": MadeUp()}
    choice = chosen("auto")
    assert (choice.name, choice.engine) == ("proc", None)
    assert choice.why == f"not libbpf: no BTF; not bcc: the kernel says no; {engines.OFFER}"
    assert rooms["ptrace"].calls == []
    (sentence,) = choice.invisible
    assert sentence.endswith("is not seen: no BTF.")


def test_what_would_not_work_is_not_offered(rooms: dict[str, MadeUp]) -> None:
    rooms |= {"libbpf": MadeUp(REFUSED), "bcc": MadeUp(REFUSED), "ptrace": MadeUp(REFUSED)}
    choice = chosen("auto")
    assert choice.name == "proc"
    assert choice.why == "not libbpf: the kernel says no; not bcc: the kernel says no"
    (sentence,) = choice.invisible
    assert sentence.endswith("is not seen: the kernel says no; ask it again.")


@pytest.mark.parametrize("name", engines.ROOMS)
def test_one_that_is_named_works_or_says_why_not(rooms: dict[str, MadeUp], name: str) -> None:
    rooms[name] = MadeUp()
    assert chosen(name).name == name
    rooms[name] = MadeUp(REFUSED)
    with pytest.raises(NotPermitted, match="the kernel says no"):
        chosen(name)


def test_proc_is_never_in_need_of_an_engine(rooms: dict[str, MadeUp]) -> None:
    choice = chosen("proc")
    assert (choice.name, choice.engine, choice.why) == ("proc", None, "asked for")
    assert "the engine proc was asked for" in choice.invisible[0]


def test_what_cannot_be_imported_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in engines.ROOMS:
        monkeypatch.setitem(sys.modules, engines.ROOMS[name], None)
    assert chosen("auto").name == "proc"
    with pytest.raises(NoKernelSupport, match="built without BPF"):
        chosen("libbpf")
    with pytest.raises(NoKernelSupport, match="without the engine ptrace") as refused:
        chosen("ptrace")
    assert "--engine proc" in refused.value.remedy


def test_the_engine_ptrace_says_on_which_machines_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, engines.ROOMS["ptrace"], None)
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine="aarch64"))
    with pytest.raises(NoKernelSupport, match="does not know aarch64"):
        chosen("ptrace")


def test_a_slip_of_the_pen_is_refused() -> None:
    assert "there is no 'pros'; write proc" in complaint(run("attach", 1, "--engine", "pros"), 2)


def test_proc_by_name_in_report_and_recording(targets: Path, tmp_path: Path) -> None:
    recording = str(tmp_path / "run.mprobe")
    options = ("--engine", "proc", "--duration", "1", "--no-learn", "--record", recording)
    with pythons.own().spawn(targets / "leaking.py") as target:
        report = document("attach", target.pid, *options)
        handles = document("handles", target.pid, "--engine", "proc", "--duration", "0.5")
    assert (report["evidence"]["engine"], report["evidence"]["engine_why"]) == ("proc", "asked for")
    assert report["target"]["tier"] == 1
    assert document("report", recording) == report
    assert handles["evidence"]["engine"] == "proc"
    page = run("report", recording).stdout
    assert "proc: asked for" in " ".join(page.split())


@needs_root
def test_libbpf_by_name(bpf: None, targets: Path) -> None:
    options = ("--engine", "libbpf", "--duration", "0.5")
    with pythons.own().spawn(targets / "leaking.py") as target:
        report = document("attach", target.pid, *options, "--no-learn")
        refused = run("attach", target.pid, *options, wrapper=WITHOUT_BPF)
    assert report["evidence"]["engine"] == "libbpf"
    assert report["target"]["tier"] == 2
    assert "does not let memprobe load BPF programs" in complaint(refused, 3)


def test_run_takes_one_too(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    program = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    options = ("--engine", "proc", "--json", "--report", report, "--record", tmp_path / "r")
    with launched(program, *options) as running:
        wait_for(tmp_path / "r", "samples", running)
        _, errors = finished(running, 0)
    assert errors == ""
    assert json.loads(report.read_text())["evidence"]["engine"] == "proc"


def test_doctor_lists_them() -> None:
    told = document("doctor")["engines"]
    assert [one["name"] for one in told] == list(ENGINES)
    assert told[-1]["ok"]
    page = run("doctor").stdout
    for one in told:
        assert one["ok"] or one["obstacle"]
        assert one["sees"] in " ".join(page.split())
