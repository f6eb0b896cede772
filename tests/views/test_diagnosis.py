"""The page of a diagnosis, on made-up data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from memprobe.target.inspection.diagnosis import Diagnosis, EnginePart, RightPart, TargetDiagnosis
from memprobe.target.inspection.document import CheckPart
from memprobe.target.rights.machine import Candidate
from memprobe.views import plain, terminal
from memprobe.views.diagnosis import page
from views.hostile import HOSTILE

ROOT = "run memprobe as root: sudo memprobe doctor"
DIAGNOSIS = Diagnosis(
    created_at="2026-11-21T12:00:00Z",
    kernel="6.1.0",
    machine="x86_64",
    uid=1000,
    tier=1,
    checks=(
        RightPart("proc", True, "/proc/5 is readable", None, 0, True),
        RightPart("read memory", True, "that of a child can be read", None, 1, True),
        RightPart("bpf programs", False, "refused", ROOT, 2, True),
        RightPart("CAP_BPF", False, "load BPF programs", ROOT, 2, False),
        RightPart("kprobes", False, "this kernel has none", None, 2, False),
    ),
    engines=(
        EnginePart("libbpf", False, "probes in the kernel", "the kernel does not let memprobe", ROOT),
        EnginePart("proc", True, "numbers from /proc", None, None),
    ),
    target=None,
    interpreters=(
        Candidate(4711, "python3", "python3 app.py", "3.11.7", "/usr/bin/python3.11", 1, None, None),
        Candidate(4712, "python3", "python3 other.py", None, None, None, "not permitted to read it", "sudo"),
    ),
)
TARGET = TargetDiagnosis(
    4711, "3.11.7", "static", 1, (CheckPart("type of type", True, "is type"),), None, None
)


def text(diagnosis: Diagnosis) -> str:
    return plain.paint(page(diagnosis))


def test_the_verdict_says_what_works_and_what_does_not() -> None:
    assert text(DIAGNOSIS).splitlines()[0] == (
        "memprobe can work here at tier 1 of 2; not where handles and growth come from, from probes in the "
        "kernel; 2 Python processes running"
    )
    assert text(replace(DIAGNOSIS, tier=2, interpreters=())).splitlines()[0] == (
        "memprobe can work here at tier 2 of 2; 0 Python processes running"
    )
    assert "cannot work here" in text(replace(DIAGNOSIS, tier=None)).splitlines()[0]


def test_a_remedy_stands_once_with_everything_that_it_mends() -> None:
    (line,) = [line for line in text(DIAGNOSIS).splitlines() if ROOT in line]
    assert line.endswith("bpf programs, CAP_BPF, engine libbpf")


def test_every_engine_with_what_it_sees_and_lacks() -> None:
    shown = [" ".join(line.split()) for line in text(DIAGNOSIS).splitlines()]
    assert "libbpf missing probes in the kernel" in shown
    assert "proc ok numbers from /proc" in shown
    assert "libbpf: the kernel does not let memprobe" in shown


def test_what_is_required_stands_out() -> None:
    lines = {line.split("  ")[2].strip(): line for line in text(DIAGNOSIS).splitlines() if "refused" in line}
    assert "MISSING" in next(iter(lines.values()))
    assert "missing  load BPF programs" in text(DIAGNOSIS)


def test_processes_with_an_obstacle_are_explained() -> None:
    assert "4712: not permitted to read it; sudo" in text(DIAGNOSIS)


def test_a_target_comes_first() -> None:
    shown = text(replace(DIAGNOSIS, target=TARGET, interpreters=()))
    assert shown.startswith("pid 4711 is CPython 3.11.7 (static): tier 1, ")
    assert "Python processes:" not in shown
    hopeless = replace(TARGET, tier=None, checks=(), obstacle="it is a zombie", remedy="wait")
    shown = text(replace(DIAGNOSIS, target=hopeless, interpreters=()))
    assert shown.startswith("pid 4711 cannot be looked at: it is a zombie")
    assert "wait" in shown


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_reach_no_output(name: str) -> None:
    hostile = replace(DIAGNOSIS, interpreters=(Candidate(1, name, name, name, name, 1, name, name),))
    for line in plain.paint(page(hostile)).splitlines():
        assert line.isprintable()
    assert name not in terminal.paint(page(hostile), width=100)


def test_the_document_has_its_schema_first() -> None:
    assert list(DIAGNOSIS.to_dict())[:2] == ["schema", "memprobe"]
    assert DIAGNOSIS.to_dict()["schema"] == "memprobe.doctor/1"
