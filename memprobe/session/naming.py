"""What the program is called that runs in a target."""

from __future__ import annotations

from memprobe.errors import MemprobeError
from memprobe.experience import program_of
from memprobe.target.inspection.opening import Opened


def program_in(target: Opened) -> str:
    """Return the name of the program that runs in the target."""
    try:
        folder = target.process.folder.link("cwd")
    except (OSError, MemprobeError):
        folder = ""
    return program_of(target.facts.cmdline, folder)
