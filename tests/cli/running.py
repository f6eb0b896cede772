"""Run the command the way a user does, and hold it to its promises about errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from patience import PATIENCE_S

COMMAND = (sys.executable, "-m", "memprobe.cli")


def run(
    *arguments: str | int | Path,
    wrapper: tuple[str, ...] = (),
    environment: dict[str, str] | None = None,
    timeout_s: float = PATIENCE_S,
) -> subprocess.CompletedProcess[str]:
    """Run memprobe to its end and return what it printed."""
    return subprocess.run(
        [*wrapper, *COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
    )


def document(*arguments: str | int | Path, **options: Any) -> dict[str, Any]:
    """Run memprobe, which must succeed without a word of complaint, and return its JSON."""
    done = run(*arguments, "--json", **options)
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert isinstance(result, dict)
    return result


def complaint(done: subprocess.CompletedProcess[str], exit_code: int) -> str:
    """What memprobe complained about: exactly one printable line, with this exit code."""
    assert done.returncode == exit_code, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert lines[0].isprintable()
    prefix = "memprobe: "
    assert lines[0].startswith(prefix)
    return lines[0].removeprefix(prefix)
