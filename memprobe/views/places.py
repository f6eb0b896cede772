"""Places in the source, as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memprobe.views.quantities import UNKNOWN
from memprobe.vocab.stack import Frame, own_frame


def place(site: Sequence[dict[str, Any]]) -> str:
    """The line of the program; where it called a library for it, the library's line after it."""
    frames = tuple(Frame(one["function"], one["file"], one["line"]) for one in site)
    own = own_frame(frames)
    if own is None:
        return UNKNOWN
    through = "" if own is frames[0] else f", by {frames[0].function}"
    where = f" {own.file}:{own.line}" if own.file else ""
    return f"{own.function}{where}{through}"
