"""The bar that a terminal shows while a heap is read; it is gone before the result is printed."""

from __future__ import annotations

import shutil
import sys
from typing import Any

from memprobe.views.live import ERASE, fitted
from memprobe.views.quantities import count

WIDTH = 24


class ProgressBar:
    """Shows on standard error how far something is, if that is a terminal."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr is not None and sys.stderr.isatty()

    def show(self, told: Any) -> None:
        """Overwrite the bar with {"step": what is done, "done": 0 to 1 or None, "objects": so many}."""
        self._write(ERASE + fitted(line(told), shutil.get_terminal_size().columns - 1))

    def erase(self) -> None:
        """Leave an empty line behind."""
        self._write(ERASE)

    def _write(self, text: str) -> None:
        if not self._is_shown:
            return
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # the terminal is gone; the result may still have somewhere to go
            self._is_shown = False


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
