"""The interpreters of the cases, with the packages that they need."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pythons import ROOT, Interpreter, supported

FOLDER = ROOT / ".cache" / "corpus"
_one_at_a_time = threading.Lock()


class NotHere(Exception):
    """An interpreter or a package that this machine lacks."""


@cache
def interpreter(wanted: str) -> Interpreter:
    """The one that "3.12" or "3.11-debian-static" means, rather one of pyenv in this machine's own root."""
    found = [one for one in supported() if one.matches(wanted)]
    if not found:
        raise NotHere(f"no CPython {wanted} here; python tests/pythons.py lists all, make matrix brings more")
    return min(found, key=lambda one: (one.root is not None, "pyenv" not in one.name, one.name))


def command(wanted: str, requirements: Sequence[str], script: Path) -> list[str]:
    """How a script is run with these packages."""
    python = interpreter(wanted)
    if not requirements:
        return python.command(python.path_inside(script))
    return [str(_environment(python, requirements) / "bin" / "python"), str(script)]


def _environment(python: Interpreter, requirements: Sequence[str]) -> Path:
    """A virtual environment with these packages, made when it is first asked for."""
    if python.root is not None:
        raise NotHere(
            f"packages are installed for interpreters of this machine's root only, not for {python.name}"
        )
    wanted = "\n".join(sorted(requirements))
    folder = FOLDER / f"{python.name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    done = folder / "installed.txt"
    with _one_at_a_time:
        if not done.exists():
            _run([str(python.path), "-m", "venv", "--clear", str(folder)])
            _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements])
            done.write_text(wanted)
    return folder


def _run(arguments: list[str]) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise NotHere(f"{' '.join(arguments)}: {''.join(last)}")
