"""Places in the source, as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memprobe.views.quantities import UNKNOWN
from memprobe.vocab.stack import Frame, is_library, own_frame


def own_frames(site: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The frame that `place` names, as a list of one; of none if there is none."""
    return [one for one in site if not is_library(_frame(one))][:1] or list(site[:1])


def place(site: Sequence[dict[str, Any]]) -> str:
    """The line of the program; where it called a library for it, the library's line after it."""
    frames = tuple(map(_frame, site))
    own = own_frame(frames)
    if own is None:
        return UNKNOWN
    through = "" if own is frames[0] else f", by {frames[0].function}"
    where = f" {own.file}:{own.line}" if own.file else ""
    return f"{own.function}{where}{through}"


def _frame(one: dict[str, Any]) -> Frame:
    return Frame(one["function"], one["file"], one["line"])
