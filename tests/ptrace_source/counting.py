"""A target in C that counts: the signals that it has had, and the rounds of work that it has done."""

from __future__ import annotations

import subprocess
from pathlib import Path

from patience import until
from pythons import Target


def compiled(source: Path, folder: Path) -> str:
    program = folder / source.stem
    subprocess.run(["cc", "-O1", "-pthread", "-w", "-o", program, source], check=True)
    return str(program)


def counted(target: Target) -> tuple[int, int]:
    """Signals, and rounds of work."""
    signals, rounds = target.ask("").split()
    return int(signals), int(rounds)


def is_well(target: Target, sent: int) -> None:
    """It works, and has had every signal once."""
    _, rounds = counted(target)
    until(lambda: counted(target)[1] > rounds)
    until(lambda: counted(target)[0] >= sent)
    assert counted(target)[0] == sent
