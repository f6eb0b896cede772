"""The programs of the corpus do what their truth says: they say themselves how many units they hold."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from detection.cases import CORPUS, Case, cases
from patience import PATIENCE_S
from pythons import INTERPRETERS, Interpreter, clean_environment

SECONDS = 30
"""Virtual ones: whole periods of what comes in batches and bursts."""

OWN = [case for case in cases() if not case.is_real]


def behaviours() -> list[list[str]]:
    """Every behaviour once with and once without its mistake, at the rate of its first case."""
    found: dict[tuple[str, bool], list[str]] = {}
    for case in OWN:
        found.setdefault((case.group, case.truth is None), [case.script.name, *case.arguments])
    return list(found.values())


def share_of(interpreter: Interpreter) -> list[list[str]]:
    return behaviours()[INTERPRETERS.index(interpreter) :: len(INTERPRETERS)]


def held(interpreter: Interpreter, script: str, *arguments: str) -> tuple[int, int]:
    """How many units a program held at its first and at its last second."""
    path = interpreter.path_inside(CORPUS / "programs" / script)
    command = interpreter.command(path, *arguments, "--virtual", "--seconds", str(SECONDS))
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, env=clean_environment()
    )
    assert done.returncode == 0, done.stderr
    words = done.stdout.splitlines()[-1].split()
    assert words[0] == "held"
    return int(words[1]), int(words[2])


def test_leaky_programs_grow_as_fast_as_they_say_and_their_twins_do_not(interpreter: Interpreter) -> None:
    """Each under one interpreter, and under each interpreter some."""
    with ThreadPoolExecutor(2) as pool:
        jobs = [(one, pool.submit(held, interpreter, *one)) for one in share_of(interpreter)]
        for arguments, job in jobs:
            first, last = job.result()
            served = SECONDS * float(arguments[arguments.index("--rate") + 1])
            if "--healthy" in arguments:
                # What waits for the collector comes and goes: 1,000 pairs at most, from 3.13 on.
                assert last - first <= min(0.7 * served, 1000), arguments
            else:
                assert last - first == pytest.approx(served, rel=0.05, abs=2), arguments


@pytest.mark.few_interpreters
def test_no_noise_changes_the_rate(interpreter: Interpreter) -> None:
    noises = sorted({case.arguments[case.arguments.index("--noise") + 1] for case in OWN})
    for noise in noises:
        first, last = held(interpreter, "caches.py", "rows", "--rate", "20", "--noise", noise)
        assert last - first == pytest.approx(20 * SECONDS, rel=0.05), noise


def test_every_kind_comes_in_every_rate_and_beside_noise() -> None:
    leaky = [case for case in OWN if case.truth is not None]
    assert len(leaky) >= 60
    assert len({case.name for case in cases()}) == len(cases())
    for kind in {case.truth.kind for case in leaky if case.truth}:
        of_kind = [case for case in leaky if case.truth and case.truth.kind == kind]
        assert any(case.quick for case in of_kind), kind
        assert len({case.truth.rate for case in of_kind if case.truth}) >= 2, kind
        assert len({case.arguments[-1] for case in of_kind}) >= 3, kind


def test_real_cases_have_their_script_and_a_healthy_twin() -> None:
    real = [case for case in cases() if case.is_real]
    assert all(case.script.exists() for case in real)
    assert all("==" in pin for case in real for pin in case.requirements)
    assert all(_twin(case, real) for case in real if case.truth is not None)


def _twin(case: Case, real: list[Case]) -> bool:
    return any(other.group == case.group and other.truth is None for other in real)
