"""One line on standard error that is overwritten as a run goes on, if that is a terminal."""

from __future__ import annotations

import shutil
import sys

from memprobe.views.escaping import cells, escape
from memprobe.views.room import has_room

ERASE = "\r\x1b[K"


class StatusLine:
    """A line that nobody sees where standard error is no terminal."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr is not None and sys.stderr.isatty()

    @property
    def is_shown(self) -> bool:
        """Whether anybody sees it: if not, nothing need be computed."""
        return self._is_shown

    def overwrite(self, text: str) -> None:
        """Show a text instead of what is there, cut to the width of the terminal."""
        self._write(ERASE + fitted(text, shutil.get_terminal_size().columns - 1))

    def keep(self, text: str) -> None:
        """Show a text that stays; the line goes on below it."""
        self._write(f"{ERASE}{escape(text)}\n")

    def erase(self) -> None:
        """Leave an empty line behind."""
        self._write(ERASE)

    def _write(self, text: str) -> None:
        if not self._is_shown:
            return
        try:
            if has_room(sys.stderr):
                sys.stderr.write(text)
                sys.stderr.flush()
        except OSError:  # the terminal is gone; the result may still have somewhere to go
            self._is_shown = False


def fitted(text: str, width: int) -> str:
    """The text, escaped and cut so that it stays on one line."""
    shown = escape(text)[: max(width, 1)]  # at once: letter by letter a long name would take seconds
    while cells(shown) > max(width, 1):
        shown = shown[:-1]
    return shown
