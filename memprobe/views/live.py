"""The line that a terminal shows while a run goes on; it is overwritten, and gone before the report."""

from __future__ import annotations

import shutil
import sys
from typing import Any

from memprobe.views.escaping import cells, escape
from memprobe.views.quantities import count, duration, megabytes
from memprobe.views.report_page import place

ERASE = "\r\x1b[K"


class LiveLine:
    """Shows the state of a run on standard error, if that is a terminal."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr is not None and sys.stderr.isatty()

    @property
    def is_shown(self) -> bool:
        """Whether anybody sees it: if not, nothing need be computed."""
        return self._is_shown

    def show(self, document: dict[str, Any]) -> None:
        """Overwrite the line."""
        self._write(ERASE + fitted(line(document), shutil.get_terminal_size().columns - 1))

    def erase(self) -> None:
        """Leave an empty line behind."""
        self._write(ERASE)

    def _write(self, text: str) -> None:
        if not self._is_shown:
            return
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # the terminal is gone; the report may still have somewhere to go
            self._is_shown = False


def line(document: dict[str, Any]) -> str:
    """What has happened so far, the most telling first."""
    born = [row for row in document["handles"] if row["site"]]
    facts = [
        duration(document["window"]["duration_s"]),
        megabytes(document["memory"]["rss_mb"]),
        count(document["process"]["fds"], "handle"),
    ]
    if born:
        facts.append(f"{born[0]['open']} {born[0]['kind']} from {place(born[0]['site'])}")
    if document["growth"]:
        facts.append(f"grows at {place(document['growth'][0]['site'])}")
    return " · ".join([*facts, "Ctrl-C ends"])


def fitted(text: str, width: int) -> str:
    """The text, escaped and cut so that it stays on one line."""
    shown = escape(text)
    while cells(shown) > max(width, 1):
        shown = shown[:-1]
    return shown
