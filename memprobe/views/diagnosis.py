"""The page of `memprobe doctor`: what works, what does not, and the command that mends it."""

from __future__ import annotations

from collections.abc import Iterator

from memprobe.target.inspection.diagnosis import Diagnosis, RightPart, TargetDiagnosis
from memprobe.target.rights.machine import Candidate
from memprobe.views.escaping import shorten
from memprobe.views.page import Column, Facts, Notes, Page, Section, Table
from memprobe.views.quantities import UNKNOWN, count

GIVES = {
    0: "memory, handles and threads, from /proc",
    1: "Python stacks, interpreters, collector and allocator, from the memory of the process",
    2: "where handles and growth come from, from probes in the kernel",
}
COMMAND_WIDTH = 60


def page(diagnosis: Diagnosis) -> Page:
    """The whole answer; what to do about a lack comes right after the table that shows it."""
    sections = [*_target(diagnosis.target), _checks(diagnosis), *_engines(diagnosis), *_remedies(diagnosis)]
    if diagnosis.target is None:
        sections.append(_interpreters(diagnosis.interpreters))
    return Page(_verdict(diagnosis), tuple(sections))


def _verdict(diagnosis: Diagnosis) -> str:
    target = diagnosis.target
    if target is not None:
        return _target_verdict(target)
    if diagnosis.tier is None:
        return "memprobe cannot work here: not even /proc can be read"
    found = count(len(diagnosis.interpreters), "Python process", "Python processes")
    missing = "" if diagnosis.tier == 2 else f"; not {GIVES[diagnosis.tier + 1]}"
    return f"memprobe can work here at tier {diagnosis.tier} of 2{missing}; {found} running"


def _target_verdict(target: TargetDiagnosis) -> str:
    if target.tier is None:
        return f"pid {target.pid} cannot be looked at: {target.obstacle}"
    gives = f"tier {target.tier}, {GIVES[target.tier]}"
    return f"pid {target.pid} is CPython {target.python} ({target.build}): {gives}"


def _target(target: TargetDiagnosis | None) -> Iterator[Section]:
    if target is None or not (target.checks or target.obstacle):
        return
    rows = tuple((check.name, _mark(check.passed), check.detail) for check in target.checks)
    columns = (Column("check"), Column("state"), Column("found", stretches=True))
    notes = tuple(text for text in (target.obstacle, target.remedy) if text)
    blocks: list[Table | Notes] = [Table(columns, rows)] if rows else []
    yield Section(f"process {target.pid}", (*blocks, *([Notes(notes)] if notes else [])))


def _checks(diagnosis: Diagnosis) -> Section:
    columns = (
        Column("tier", right=True),
        Column("right or feature"),
        Column("state"),
        Column("found", stretches=True),
    )
    rows = tuple((str(one.tier), one.name, _mark(one.ok, one), one.detail) for one in diagnosis.checks)
    where = (("kernel", f"{diagnosis.kernel} {diagnosis.machine}"), ("user id", str(diagnosis.uid)))
    return Section("rights and kernel features", (Facts(where), Table(columns, rows)))


def _engines(diagnosis: Diagnosis) -> Iterator[Section]:
    """What each of them sees; of one that cannot work, why."""
    if diagnosis.engines:
        columns = (Column("engine"), Column("state"), Column("sees", stretches=True))
        rows = tuple((one.name, "ok" if one.ok else "missing", one.sees) for one in diagnosis.engines)
        lacks = tuple(f"{one.name}: {one.obstacle}" for one in diagnosis.engines if one.obstacle)
        yield Section("engines", (Table(columns, rows), *([Notes(lacks)] if lacks else [])))


def _mark(ok: bool, right: RightPart | None = None) -> str:
    if ok:
        return "ok"
    return "MISSING" if right is None or right.required else "missing"


def _remedies(diagnosis: Diagnosis) -> Iterator[Section]:
    """Each remedy once, with everything that it mends."""
    lacks: dict[str, list[str]] = {}
    for one in diagnosis.checks:
        if not one.ok and one.remedy:
            lacks.setdefault(one.remedy, []).append(one.name)
    for engine in diagnosis.engines:
        if engine.remedy:
            lacks.setdefault(engine.remedy, []).append(f"engine {engine.name}")
    if lacks:
        rows = tuple((remedy, ", ".join(names)) for remedy, names in lacks.items())
        yield Section("to get what is missing", (Table((Column("do"), Column("for", stretches=True)), rows),))


def _interpreters(found: tuple[Candidate, ...]) -> Section:
    if not found:
        return Section("Python processes", (Notes(("none was found",)),))
    columns = (
        Column("pid", right=True),
        Column("python"),
        Column("tier", right=True),
        Column("command", stretches=True),
    )
    return Section("Python processes", (Table(columns, tuple(map(_interpreter, found))), *_obstacles(found)))


def _interpreter(one: Candidate) -> tuple[str, ...]:
    tier = "none" if one.tier is None else str(one.tier)
    return str(one.pid), one.python or UNKNOWN, tier, shorten(one.command or one.name, COMMAND_WIDTH)


def _obstacles(found: tuple[Candidate, ...]) -> Iterator[Notes]:
    """What is in the way of more, and what takes it out of the way."""
    lines = [
        f"{one.pid}: {one.obstacle}{f'; {one.remedy}' if one.remedy else ''}" for one in found if one.obstacle
    ]
    if lines:
        yield Notes(tuple(lines))
