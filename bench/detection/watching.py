"""One case: the program, memprobe beside it, and what memprobe said."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from detection.cases import Case
from detection.environments import FOLDER, NotHere, command, interpreter
from programs import Target, TargetFailed, spawn_command

MEMPROBE = Path(sys.executable).with_name("memprobe")
SETTLE_S = 1.0
"""From the program's first line to the attach."""

PATIENCE_S = 90.0
"""What memprobe may take beyond the duration."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run."""

    case: str
    seconds: float
    """How long it was watched, in seconds of the program."""

    exit_code: int | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    overhead: dict[str, Any] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    """Why there is nothing to judge: the program ended, memprobe failed, something is missing."""

    missing: bool = False
    """The machine lacks what the case needs: it is not judged, and not counted."""

    def as_json(self) -> str:
        """One line of the file of outcomes."""
        return json.dumps(asdict(self))


def read(path: Path) -> list[Outcome]:
    """The outcomes in a file; of a case that was run twice the last one."""
    found = (Outcome(**json.loads(line)) for line in path.read_text().splitlines())
    return list({one.case: one for one in found}.values())


@dataclass(frozen=True, slots=True)
class Watch:
    """How the cases are run."""

    duration_s: float | None = None
    """Instead of the case's own."""

    speed: float = 1.0
    """How much faster time passes in the programs that can have it so."""

    record: Path | None = None
    """A folder for the recordings."""

    options: tuple[str, ...] = ()
    """More options for `memprobe attach`."""

    memprobe: tuple[str, ...] = (str(MEMPROBE),)
    """The command."""

    program_s: float | None = None
    """Instead of the case's own duration, in seconds of the program: they pass faster where its time does."""


def watch(case: Case, how: Watch) -> Outcome:
    """Run a case to its end. Whatever goes wrong is in the outcome."""
    speed = how.speed if case.speed else 1.0
    duration_s = how.duration_s or (how.program_s or case.seconds) / speed
    nothing = Outcome(case.name, duration_s * speed)
    try:
        with _running(case, speed, duration_s) as target:
            time.sleep(SETTLE_S)
            outcome = _attached(case, how, target, duration_s, nothing)
            if target.process.poll() is not None:
                return replace(outcome, problem=f"the program ended early: {target.errors()[-300:]}")
            return outcome
    except NotHere as error:
        return replace(nothing, problem=str(error), missing=True)
    except (TargetFailed, subprocess.TimeoutExpired) as error:
        return replace(nothing, problem=str(error)[-300:])


@contextmanager
def _running(case: Case, speed: float, duration_s: float) -> Iterator[Target]:
    """The program; the first line it prints says that it has begun."""
    arguments = [*command(case.python, case.requirements, case.script), *case.arguments]
    arguments += ["--seconds", str((duration_s + PATIENCE_S) * speed)]
    if case.speed:
        arguments += ["--speed", str(speed)]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER, ignore_cleanup_errors=True) as folder:
        place = interpreter(case.python).path_inside(Path(folder))
        with spawn_command(arguments, ready="", environment={"TMPDIR": str(place)}) as target:
            yield target


def _attached(case: Case, how: Watch, target: Target, duration_s: float, nothing: Outcome) -> Outcome:
    # What is learned of one run would be known in the next: every case is to be judged on its own.
    options = ["--json", "--no-learn", "--duration", str(duration_s), *how.options]
    if how.record is not None:
        options += ["--record", str(how.record / f"{case.name}.mprobe")]
    done = subprocess.run(
        [*how.memprobe, "attach", str(target.pid), *options],
        capture_output=True,
        text=True,
        timeout=duration_s + PATIENCE_S,
    )
    if done.returncode not in (0, 1):
        return replace(nothing, exit_code=done.returncode, problem=done.stderr.strip()[-300:])
    report = json.loads(done.stdout)
    parts = {name: report[name] for name in ("findings", "overhead", "evidence", "memory")}
    return replace(nothing, exit_code=done.returncode, **parts)
