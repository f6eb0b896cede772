"""Where something is made, and how fast, in words."""

from __future__ import annotations

from pathlib import PurePath

from memprobe.detectors.evidence import Grown
from memprobe.vocab.stack import Frame, own_frame


def where(done: str, site: tuple[Frame, ...]) -> str:
    """Return such as ": opened in Worker.run (app.py:12, through connect)"; "" if it is not known."""
    frame = own_frame(site)
    if frame is None:
        return ""
    if not frame.file:
        return f": {done} by code that is not Python"
    through = "" if frame is site[0] else f", through {site[0].function}"
    return f": {done} in {frame.function} ({PurePath(frame.file).name}:{frame.line}{through})"


def more_of(grown: Grown) -> str:
    """Return such as "8 more every second"."""
    return f"{grown.growth.per_s:.3g} more every second"
