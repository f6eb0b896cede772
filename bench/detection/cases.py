"""The cases of bench/corpus: programs with and without a leak, and the truth about each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).resolve().parent.parent / "corpus"
SLOW_S, USUAL_S = 60.0, 45.0
"""How long a run is watched: a leak of less than SLOW_PER_S units a second is given more time."""

SLOW_PER_S = 10.0


@dataclass(frozen=True, slots=True)
class Truth:
    """What leaks, and where."""

    kind: str
    also_kinds: tuple[str, ...]
    """Other kinds that are no mistake."""

    what_leaks: tuple[str, ...]
    """Types, coroutines, callbacks, kinds of handles; the end of a qualified name."""

    holders: tuple[str, ...]
    """Who keeps it alive: the end of a path ("Bus._handlers"), or who is nobody ("<nothing>")."""

    sites: tuple[str, ...]
    """Where it is made or put in: "file.py:function"."""

    rate: float | None
    """Units a second, if they can be counted."""


@dataclass(frozen=True, slots=True)
class Case:
    """One program to be watched."""

    name: str
    group: str
    """The program without its arguments: what is left out as a whole in a calibration."""

    script: Path
    python: str
    arguments: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    truth: Truth | None = None
    """None: it is healthy."""

    seconds: float = USUAL_S
    quick: bool = False
    speed: bool = False
    """Whether its time can be compressed."""

    @property
    def is_real(self) -> bool:
        """Whether it is about a released package, or CPython itself."""
        return self.group.startswith("real-")


def cases() -> list[Case]:
    """All of them: our own with their twins, then the real ones with theirs."""
    return [*_own(), *_real()]


def _truth(table: dict[str, Any], rate: float | None) -> Truth:
    return Truth(
        table["kind"],
        tuple(table.get("also_kinds", ())),
        tuple(table["what_leaks"]),
        tuple(table["holders"]),
        tuple(table["sites"]),
        rate,
    )


def _own() -> Iterator[Case]:
    tables = json.loads((CORPUS / "cases.json").read_text())
    for table in tables["cases"]:
        program, behaviour = table["program"].split()
        arguments = [
            behaviour,
            "--rate",
            table["rate"],
            "--already",
            table["already"],
            "--noise",
            table["noise"],
        ]
        for healthy in (False, True):
            yield Case(
                name=table["name"] + ("-healthy" if healthy else ""),
                group=table["program"],
                script=CORPUS / "programs" / f"{program}.py",
                python=table["python"],
                arguments=(*map(str, arguments), *(["--healthy"] if healthy else [])),
                truth=None if healthy else _truth(tables["programs"][table["program"]], table["rate"]),
                seconds=SLOW_S if table["rate"] < SLOW_PER_S else USUAL_S,
                quick=table.get("quick", False),
                speed=True,
            )


def _real() -> Iterator[Case]:
    for file in sorted((CORPUS / "real").glob("*/case.json")):
        table = json.loads(file.read_text())
        script, name = file.parent / table["script"], f"real-{file.parent.name}"
        truth = None if table["kind"] == "none" else _truth(table, table["rate"])
        yield Case(name, name, script, table["python"], (), tuple(table["requirements"]), truth, SLOW_S)
        for twin in table.get("twins", ()):
            yield Case(
                f"{name}-fixed-{twin['how']}",
                name,
                script,
                twin["python"],
                tuple(twin["arguments"]),
                tuple(twin["requirements"]),
                seconds=SLOW_S,
            )
