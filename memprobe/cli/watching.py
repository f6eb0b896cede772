"""What attach, handles and report have in common: a run on a process, or a recording of one."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from memprobe.errors import UsageError

if TYPE_CHECKING:
    from memprobe.session import Options, Session
    from memprobe.views.story import Story

ENDING = (signal.SIGINT, signal.SIGTERM)


class Ending:
    """Whether somebody has asked for the end of the run; asked twice, it ends without a report."""

    def __init__(self) -> None:
        self.is_asked = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Take Ctrl-C and SIGTERM as the wish for the report until the block ends."""
        before = {number: signal.signal(number, self._ask) for number in ENDING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True


def pid_of(text: str) -> int | None:
    """The pid that this is; None if it is something else."""
    return int(text[:12]) if text.isascii() and text.isdecimal() else None


def check_duration(duration_s: float | None) -> None:
    """Raise UsageError for a time that is none."""
    if duration_s is not None and not 0 < duration_s < 1e9:
        raise UsageError("--duration must be above 0 seconds")


def watched(pid: int, options: Options, duration_s: float | None) -> dict[str, Any]:
    """Run until somebody ends it, the time is over or the target is gone; return the report."""
    from memprobe.session import session
    from memprobe.views.history import History
    from memprobe.views.live_screen import live_view
    from memprobe.views.report import document
    from memprobe.views.story import Story

    ending, history = Ending(), History()

    with ending.heard(), session(pid, options, history) as run:
        end_s = None if duration_s is None else time.monotonic() + duration_s
        live = live_view()

        def show(run: Session) -> None:
            if live.is_shown:
                live.show(Story(document(run.ledger, run.report()), run.ledger, history))

        def goes_on() -> bool:
            is_asked = ending.is_asked or not live.tick()
            return not is_asked and (end_s is None or time.monotonic() < end_s)

        try:
            run.run(goes_on, show)
        finally:
            live.erase()
        return document(run.ledger, run.report())


def recorded(path: str, usd_per_gb_hour: float | None = None) -> dict[str, Any]:
    """Return the report of a recording."""
    return recorded_story(path, usd_per_gb_hour).document


def recorded_story(path: str, usd_per_gb_hour: float | None = None) -> Story:
    """Return the report of a recording, and what its run was like over time."""
    from memprobe.session import replayed
    from memprobe.views.history import History
    from memprobe.views.report import document
    from memprobe.views.story import Story

    history = History()
    ledger, run = replayed(Path(path), usd_per_gb_hour, history)
    return Story(document(ledger, run), ledger, history)
