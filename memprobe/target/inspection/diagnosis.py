"""The document that `memprobe doctor` gives: `memprobe.doctor/1`."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from typing import Any

from memprobe import __version__
from memprobe.errors import MemprobeError
from memprobe.target.inspection.assembly import inspect_process
from memprobe.target.inspection.document import CheckPart
from memprobe.target.inspection.evidence import iso
from memprobe.target.inspection.plain_data import as_plain, from_plain
from memprobe.target.killable import call
from memprobe.target.rights.machine import Candidate, python_processes
from memprobe.target.rights.rights import Rights, check_rights

SCHEMA = "memprobe.doctor/1"


@dataclass(frozen=True, slots=True)
class RightPart:
    """One thing that memprobe tried."""

    name: str
    ok: bool
    detail: str

    remedy: str | None
    """The command that grants it, or what else helps; None if nothing is missing."""

    tier: int
    """The tier that it belongs to."""

    required: bool
    """Whether the tier cannot be reached without it."""


@dataclass(frozen=True, slots=True)
class EnginePart:
    """What may see the events of a process, as --engine takes it."""

    name: str
    ok: bool
    sees: str
    """What it sees, and what it cannot."""

    obstacle: str | None
    """Why it cannot work here."""

    remedy: str | None
    """What takes that out of the way."""


@dataclass(frozen=True, slots=True)
class TargetDiagnosis:
    """The process that was asked about."""

    pid: int
    python: str | None
    build: str | None

    tier: int | None
    """The tier that was really reached when memprobe looked at it; None if not even 0."""

    checks: tuple[CheckPart, ...]
    """The layout checks that were run on it."""

    obstacle: str | None
    """What is in the way of more."""

    remedy: str | None
    """What takes it out of the way."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What memprobe may do here, and what it found to do it on."""

    created_at: str
    kernel: str
    machine: str

    uid: int
    """The effective user of memprobe."""

    tier: int | None
    """The highest tier that the rights are enough for; None if not even 0."""

    checks: tuple[RightPart, ...]

    engines: tuple[EnginePart, ...]
    """The best first."""

    target: TargetDiagnosis | None

    interpreters: tuple[Candidate, ...]
    """Python processes of the machine; not searched for if a pid was given."""

    def to_dict(self) -> dict[str, Any]:
        """The document as it is printed with --json."""
        return {"schema": SCHEMA, "memprobe": __version__, **as_plain(self)}


def diagnose(
    pid: int | None = None, engines: tuple[EnginePart, ...] = ()
) -> tuple[Diagnosis, MemprobeError | None]:
    """Try everything, on a process or in general; the error is why the process cannot be looked at.

    What came of trying the engines is told by who knows them.
    """
    tier, checks = from_plain(tuple[int | None, tuple[RightPart, ...]], call(lambda: _rights(pid)))
    target, error = (None, None) if pid is None else _look(pid)
    return (
        Diagnosis(
            created_at=iso(time.time()),
            kernel=platform.release(),
            machine=platform.machine(),
            uid=os.geteuid(),
            tier=tier,
            checks=checks,
            engines=engines,
            target=target,
            interpreters=tuple(python_processes()) if pid is None else (),
        ),
        error,
    )


def _rights(pid: int | None) -> Any:
    rights: Rights = check_rights(pid)
    parts = tuple(
        RightPart(one.name, one.ok, one.detail, one.remedy or None, one.tier, one.required)
        for one in rights.checks
    )
    return as_plain((rights.tier, parts))


def _look(pid: int) -> tuple[TargetDiagnosis, MemprobeError | None]:
    """What comes of really inspecting it."""
    try:
        seen = from_plain(TargetDiagnosis, call(lambda: _seen(pid)))
    except MemprobeError as error:
        return TargetDiagnosis(pid, None, None, None, (), error.fact, error.remedy or None), error
    return seen, None


def _seen(pid: int) -> Any:
    inspection = inspect_process(pid)
    python = inspection.python
    return as_plain(
        TargetDiagnosis(
            pid=pid,
            python=inspection.target.python,
            build=inspection.target.build,
            tier=inspection.target.tier,
            checks=python.checks if python else (),
            obstacle=inspection.invisible[0] if inspection.target.tier == 0 else None,
            remedy=None,
        )
    )
