"""Running the commands of this repository, as a person would."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pythons import ROOT, clean_environment


def run(*command: str | Path, timeout_s: float = 1800) -> str:
    """Run a command from the top of the repository; its output, or an assertion with all it said."""
    done = subprocess.run(
        command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=timeout_s
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout
