"""How far the reading of a recording is: a report of a day takes minutes, and silence reads as a hang."""

from __future__ import annotations

import time

from memprobe.ledger import Ledger
from memprobe.ledger.ledger import News
from memprobe.views.status_line import StatusLine
from memprobe.vocab.rows import Rows

FIRST_S, EVERY_S = 2.0, 0.5
"""What takes no longer needs no word; then it is told so often."""


class Reading:
    """Goes by the ledger, and says on a terminal's standard error how much of the time span is read."""

    def __init__(self, name: str, begin_ns: int, end_ns: int) -> None:
        self._name, self._begin_ns, self._length_ns = name, begin_ns, max(1, end_ns - begin_ns)
        self._line = StatusLine()
        self._due_s = time.monotonic() + FIRST_S
        self._is_shown = False

    def fold(self, ledger: Ledger, news: News, samples: Rows) -> None:
        """Take in how far it is."""
        if self._line.is_shown and time.monotonic() >= self._due_s:
            self._due_s = time.monotonic() + EVERY_S
            self._is_shown = True
            share = min(1.0, max(0.0, (ledger.now_ns - self._begin_ns) / self._length_ns))
            self._line.overwrite(f"reading {self._name}: {100 * share:.0f} %")

    def erase(self) -> None:
        """Leave nothing behind."""
        if self._is_shown:
            self._line.erase()
