"""The bar that a terminal shows while a heap is read; it is gone before the result is printed."""

from __future__ import annotations

from typing import Any

from memprobe.views.quantities import count
from memprobe.views.status_line import StatusLine

WIDTH = 24


class ProgressBar(StatusLine):
    """Shows how far something is."""

    def show(self, told: Any) -> None:
        """Overwrite the bar with {"step": what is done, "done": 0 to 1 or None, "objects": so many}."""
        self.overwrite(line(told))


def line(told: Any) -> str:
    """One line for what was told; a part that is missing is left out."""
    if not isinstance(told, dict):
        return ""
    parts = [str(told.get("step", ""))]
    done = told.get("done")
    if isinstance(done, float | int):
        share = min(max(done, 0.0), 1.0)
        filled = round(share * WIDTH)
        parts.append(f"[{'#' * filled}{'-' * (WIDTH - filled)}] {share:4.0%}")
    if isinstance(told.get("objects"), int):
        parts.append(count(told["objects"], "object"))
    return "  ".join(part for part in parts if part)
