"""Truth from inside: what is open and which stack opened it, against what the target knows of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from memprobe.abi import BirthHow
from ptrace_source.tracing import MANY, POLL_S, WHOLE, Traced, traced
from pythons import Interpreter, Target, own
from target.looking import needs_root

ENOUGH = 200
"""Births that windows have seen, with their stacks."""

OPENED = "4000"
"""In one round: some 8,000 events."""

IN_FULL = 2_000
"""Births that are traced without a pause."""


def expect(run: Traced, target: Target) -> dict[str, Any]:
    """Wait for a line of the target, polling meanwhile."""
    with ThreadPoolExecutor(1) as waiting:
        line = waiting.submit(target.expect, "")
        while not line.done():
            run.source.wait(POLL_S)
            run.poll()
    said = json.loads(line.result())
    assert isinstance(said, dict)
    return said


def differences(run: Traced, said: dict[str, Any]) -> Iterator[str]:
    """Between the ledger and what the target says of itself, which waits meanwhile."""
    run.picture()
    rows = run.open(said["pid"])
    found, expected = set(rows["descriptor"].tolist()), set(said["open"])
    if found != expected:
        extra, missing = sorted(found - expected)[:9], sorted(expected - found)[:9]
        yield f"{said['kind']}: not open {extra}, not known {missing}"
    stacks = run.stacks
    for row in rows[rows["stack_id"] != 0]:
        frames = [[one.function, one.file, one.line] for one in stacks[int(row["stack_id"])].frames]
        held = said["held"].get(str(int(row["descriptor"])))
        if held is not None and frames != held:
            yield f"{said['kind']}: {int(row['descriptor'])} was opened by {held}, told as {frames}"


def known_stacks(run: Traced, pid: int) -> int:
    """How many of the open descriptors of a process have a line."""
    return int((run.open(pid)["stack_id"] != 0).sum())


@pytest.mark.few_interpreters
def test_what_is_open_is_known_and_what_a_window_saw_has_its_line(
    interpreter: Interpreter, targets: Path
) -> None:
    wrong: list[str] = []
    with (
        interpreter.spawn(targets / "churning_handles.py", OPENED) as target,
        traced(target.pid, MANY) as run,
    ):
        with_line = 0
        while with_line < ENOUGH or run.source.windows < 3:
            target.send("")
            wrong += differences(run, expect(run, target))
            assert not wrong, wrong[:5]
            births = run.table("births")
            with_line = int((births["stack_id"] != 0).sum())
        assert run.losses <= {"code_gone"}


@pytest.mark.few_interpreters
def test_children_are_followed_into_the_window(interpreter: Interpreter, targets: Path) -> None:
    with (
        interpreter.spawn(targets / "churning_handles.py", "80") as target,
        traced(target.pid, WHOLE) as run,
    ):
        target.send("child")
        said = expect(run, target)
        assert said["kind"] == "child"
        assert not list(differences(run, said))
        # Forty are kept, all of them opened in the child before our eyes.
        assert known_stacks(run, said["pid"]) >= 40
        target.send("")
        said = expect(run, target)
        assert (said["kind"], list(differences(run, said))) == ("exit 3", [])


@needs_root
def test_every_way_of_being_born_is_told(targets: Path) -> None:
    """The programs are the kernel's: so is what they say, thread by thread."""
    with (
        own().spawn(targets / "every_birth.py", str(IN_FULL), "7", "1", flags=("-W", "ignore")) as target,
        traced(target.pid, WHOLE) as run,
    ):
        said: dict[str, Any] = {"kind": ""}
        logs: dict[tuple[int, int], list[Any]] = {}
        target.send("go")
        while said["kind"] != "end":
            said = expect(run, target)
            stacks = [(how, [tuple(row) for row in frames]) for how, frames in said.get("stacks", ())]
            for tid, log in said.get("log", {}).items():
                logs[said["pid"], int(tid)] = [(number, *stacks[stack]) for number, stack in log]
            target.send("go")
        run.poll()
        assert run.source.windows == 0, "it was one window"
        found = told(run)
        assert sum(map(len, logs.values())) >= IN_FULL
        assert {key: found.get(key, [])[: len(log)] for key, log in logs.items()} == logs
        assert {key: len(found.get(key, [])) for key in logs} == {key: len(log) for key, log in logs.items()}


def told(run: Traced) -> dict[tuple[int, int], list[Any]]:
    """What the source says of the births of each thread."""
    births, stacks = run.table("births"), run.stacks
    found: dict[tuple[int, int], list[Any]] = {}
    columns = ("pid", "tid", "descriptor", "how", "stack_id")
    for pid, tid, descriptor, how, stack in zip(*(births[name].tolist() for name in columns), strict=True):
        frames = [(one.function, one.file, one.line) for one in stacks[stack].frames] if stack else []
        # A list of /proc/self/fd; the loader, when the first thread ends and libc wants its unwinder.
        if frames and frames[0][0] not in ("truth", "<no Python code>"):
            found.setdefault((pid, tid), []).append((descriptor, BirthHow(how).name, frames))
    return found
