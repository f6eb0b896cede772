"""A process that is looked at: whoever looks neither stops nor traces it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

LOOKS = 50


def check_never_stopped(pid: int, command: Sequence[str]) -> None:
    """Look at a process all through a command; again, if somebody else had the CPU meanwhile."""
    status, looks = Path(f"/proc/{pid}/status"), 0
    while looks <= LOOKS:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
            while running.poll() is None:
                text = status.read_text()
                assert "TracerPid:\t0\n" in text
                assert "State:\tT" not in text
                assert "State:\tt" not in text
                looks += 1
        assert running.returncode == 0
