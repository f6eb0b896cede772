"""Growth as collapsed stacks, for flamegraph.pl and others: a line a stack, outermost first, bytes last."""

from __future__ import annotations

from typing import Any

from memprobe.views.escaping import escape
from memprobe.views.machines.weights import weighed
from memprobe.vocab.stack import Frame


def render(document: dict[str, Any]) -> bytes:
    """Return the lines. The outermost frame says how it grew: memory is first mapped, then used."""
    rows = [one for one in weighed(document) if one.what == "growth" and one.value > 0]
    lines = (f"[{one.sort}];{';'.join(map(_frame, reversed(one.frames)))} {one.value}\n" for one in rows)
    return "".join(lines).encode()


def _frame(frame: Frame) -> str:
    """A semicolon ends a frame, so that none may be in it."""
    where = f" ({frame.file}:{frame.line})" if frame.file else ""
    return escape(f"{frame.function}{where}").replace(";", ",")
