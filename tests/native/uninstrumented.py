"""Tools of the machine, run without the sanitizers that the tests themselves may run under."""

from __future__ import annotations

import os
import subprocess

from patience import PATIENCE_S


def uninstrumented(command: list[str]) -> str:
    """Run a tool and return its output; under a preloaded ASan `ps` was seen to hang before it began."""
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env=environment, timeout=PATIENCE_S
    ).stdout
