"""Truth from inside: what the ledger holds to be open, and born by whom, against what the target knows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from kernel_source.folded import Folded, folded
from memprobe.abi import BirthHow, ProcessHow
from memprobe.ledger.entries import Mark
from memprobe.sources.kernel import KernelOptions, Settings
from memprobe.sources.kernel.kit import Kit, Precompiled
from memprobe.vocab.rows import Rows
from pythons import Interpreter, own
from target.looking import needs_root

pytestmark = [pytest.mark.usefixtures("bpf"), needs_root]

ALL_BIRTHS = 100_000
IN_PASSING = 12_000
"""Under the interpreters that the tests do not run under themselves, unless MEMPROBE_EXHAUSTIVE is set."""

ON_BCC = 3_000
"""It is the same C: what counts is that every way of being born is met."""

ROUNDS = 4
EVERY_STACK = KernelOptions(tree=True, ring_bytes=16 << 20, settings=Settings(stack_burst_ns=0))

Birth = tuple[str, tuple[tuple[str, str, int], ...]]
"""How, and from which frames."""


def births_of(interpreter: Interpreter, kit: Kit) -> int:
    if os.environ.get("MEMPROBE_EXHAUSTIVE"):
        return ALL_BIRTHS
    if not isinstance(kit, Precompiled):
        return ON_BCC
    return ALL_BIRTHS if interpreter.name == own().name else IN_PASSING


def as_birth(row: list[Any]) -> Birth:
    how, frames = row
    return how, tuple((function, file, line) for function, file, line in frames)


Logs = dict[tuple[int, int], list[tuple[int, Birth]]]
"""By process and thread (numbers of threads come back): each birth, in order."""


def told(run: Folded) -> Logs:
    """What the source says of the births of each thread."""
    births = run.found.table("births")
    stacks = {
        number: tuple((one.function, one.file, one.line) for one in stack.frames)
        for number, stack in run.found.stacks.items()
    }
    found: Logs = {}
    columns = ("pid", "tid", "descriptor", "how", "stack_id")
    for pid, tid, descriptor, how, stack in zip(*(births[name].tolist() for name in columns), strict=True):
        frames = stacks.get(stack, ())
        # A list of /proc/self/fd; the loader, when the first thread ends and libc wants its unwinder.
        if not frames or frames[0][0] not in ("truth", "<no Python code>"):
            found.setdefault((pid, tid), []).append((descriptor, (BirthHow(how).name, frames)))
    return found


def logged(said: dict[str, Any]) -> Logs:
    """What the target says of the births of each of its threads."""
    stacks = [as_birth(row) for row in said["stacks"]]
    return {
        (said["pid"], int(tid)): [(descriptor, stacks[number]) for descriptor, number in log]
        for tid, log in said["log"].items()
    }


def without_stack(run: Folded) -> set[int]:
    """The processes in which a birth has no stack."""
    births = run.found.table("births")
    return set(births[births["stack_id"] == 0]["pid"].tolist())


def new_programs(run: Folded) -> set[int]:
    """The processes that have called exec."""
    rows = run.found.table("processes")
    return set(rows[rows["how"] == ProcessHow.EXEC]["pid"].tolist())


def first_difference(expected: list[Any], found: list[Any]) -> str:
    for at, (one, other) in enumerate(zip(expected, found, strict=False)):
        if one != other:
            return f"birth {at} of {len(expected)} ({len(found)} told): {one} is told as {other}"
    return (
        f"{len(expected)} births are told as {len(found)}: {(found if found else expected)[-1]} is the last"
    )


def compare_open(run: Folded, said: dict[str, Any]) -> Iterable[str]:
    """Differences between the ledger and /proc/self/fd at one checkpoint."""
    rows = run.open(said["pid"])
    open_now = set(rows["descriptor"].tolist())
    if open_now != set(said["open"]):
        extra, missing = sorted(open_now - set(said["open"])), sorted(set(said["open"]) - open_now)
        yield f"{said['kind']}: not open {extra[:9]}, not known {missing[:9]}"
    if (rows["marks"] & Mark.MISSED).any():
        found = rows[rows["marks"] & Mark.MISSED != 0]["descriptor"]
        yield f"{said['kind']}: found by reconciliation {found[:9]}"


def compare_holders(run: Folded, rows: Rows, said: dict[str, Any], stacks: list[Birth]) -> Iterable[str]:
    """Differences between the stacks of what is open and the target's memory of who opened it."""
    for row in rows:
        number = said["holds"].get(str(int(row["descriptor"])))
        if number is None:
            continue
        frames = run.found.stacks[int(row["stack_id"])].frames
        found = (BirthHow(int(row["how"])).name, tuple((one.function, one.file, one.line) for one in frames))
        if found != stacks[number]:
            yield f"{said['kind']}: {int(row['descriptor'])} was born by {stacks[number]}, told as {found}"


@needs_root
def test_the_ledger_is_what_the_target_knows_of_itself(
    interpreter: Interpreter, targets: Path, kit: Kit
) -> None:
    births, checkpoints = births_of(interpreter, kit), []
    wrong: list[str] = []
    logs: Logs = {}
    arguments = (str(births), "7", str(ROUNDS))
    flags = ("-W", "ignore")
    with (
        interpreter.spawn(targets / "every_birth.py", *arguments, flags=flags) as target,
        folded(target, EVERY_STACK, kit) as run,
    ):
        target.send("go")
        said: dict[str, Any] = {"kind": ""}
        while said["kind"] != "end":
            said = json.loads(run.expect())
            wrong += compare_open(run, said)
            checkpoints.append((said, run.open(said["pid"])))
            logs |= logged(said) if "log" in said else {}
            target.send("go")
        stacks = [as_birth(row) for row in said["stacks"]]
        for one, rows in checkpoints:
            known = stacks if one["pid"] == target.pid else [as_birth(row) for row in one.get("stacks", ())]
            wrong += compare_holders(run, rows, one, known)
        found = told(run)
        wrong += [
            f"thread {thread}: {first_difference(log, found.get(thread, []))}"
            for thread, log in logs.items()
            if log != found.get(thread, [])
        ]
        evidence = run.ledger.handles.evidence
        assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong[:8])
        # After exec no stack can be taken until the new Python has been found, and what an import runs is
        # gone when it has run; no birth of the threads above is among those, as all their frames are right.
        assert set(run.found.losses) <= {"stack_layout_missing", "code_gone"}
        assert without_stack(run) <= new_programs(run)
        assert evidence.repaired == 0
        assert evidence.compared > ROUNDS * 8
        assert len(checkpoints) == 2 + ROUNDS * 8
        assert sum(map(len, logs.values())) >= births
