"""What attach, handles and report have in common: a run on a process, or a recording of one."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from memprobe.errors import OutputNotWritable, UsageError

if TYPE_CHECKING:
    from memprobe.config import Config
    from memprobe.session import Options, Session, Window
    from memprobe.views.reading import Reading
    from memprobe.views.story import Story

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""A terminal that is closed (SIGHUP) ends a run as Ctrl-C does; not under nohup."""


class Ending:
    """Whether somebody has asked for the end of the run; asked twice, it ends without a report."""

    def __init__(self) -> None:
        self.is_asked = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Take Ctrl-C, SIGTERM and a closed terminal as the wish for the report until the block ends."""
        is_kept = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        numbers = (number for number in ENDING if number != signal.SIGHUP or not is_kept)
        before = {number: signal.signal(number, self._ask) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.is_asked and number != signal.SIGHUP:  # that one comes several times
            raise KeyboardInterrupt
        self.is_asked = True


def pid_of(text: str) -> int | None:
    """The pid that this is; None if it is something else."""
    return int(text[:12]) if text.isascii() and text.isdecimal() else None


def check_duration(duration_s: float | None) -> None:
    """Raise UsageError for a time that is none."""
    if duration_s is not None and not 0 < duration_s < 1e9:
        raise UsageError("--duration must be above 0 seconds")


def check_new(path: str) -> None:
    """Raise OutputNotWritable where a recording cannot begin; said before anything is attached."""
    if os.path.lexists(path):
        raise OutputNotWritable(f"{path}: there is a file of this name already", remedy="choose another name")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise OutputNotWritable(f"{path}: there is no folder {folder}", remedy=f"mkdir -p {folder}")


def check_keys(config: Config, path: str) -> None:
    """Say on standard error, before anything is read, that a recording will have data of the target in it."""
    if not config.record.with_keys:
        return
    if config.record.redact:
        raise UsageError("--with-keys keeps what --redact leaves out", remedy="leave out one of them")
    from memprobe.views.escaping import escape

    print(
        f"memprobe: --with-keys: keys of the program's dictionaries will stand in {escape(path)}, whatever "
        "they are: names, addresses, tokens; and in every report that is made of it",
        file=sys.stderr,
    )


def watched(pid: int, options: Options, failed: list[OutputNotWritable] | None = None) -> dict[str, Any]:
    """Run until somebody ends it, the time is over or the target is gone; return the report.

    What went wrong with the recording is put into `failed`; the run goes on without it.
    """
    from memprobe.session import session
    from memprobe.views.history import History
    from memprobe.views.live_screen import live_view
    from memprobe.views.report import document
    from memprobe.views.story import Story

    ending, history = Ending(), History()
    duration_s = options.config.run.duration_s

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
        shown = document(run.ledger, run.report())
        run.close()
        if failed is not None and run.recording_failure is not None:
            failed.append(run.recording_failure)
        return shown


def recorded(path: str) -> dict[str, Any]:
    """Return the report of a recording."""
    return recorded_story(path).document


def recorded_story(path: str, said: Config | None = None, window: Window | None = None) -> Story:
    """Return the report of a recording or of a part of it, and what its run was like over time.

    It is judged by the settings of the run, and by those that are `said`.
    """
    from memprobe.session import replayed
    from memprobe.views.history import History
    from memprobe.views.report import document
    from memprobe.views.story import Story

    history = History()
    with _told(path) as reading:
        ledger, run = replayed(Path(path), said, history, reading, window=window)
    return Story(document(ledger, run), ledger, history)


@contextmanager
def _told(path: str) -> Iterator[Reading]:
    """Say how far the reading of a recording is, where it takes long."""
    from memprobe.recording import RecordingReader
    from memprobe.views.reading import Reading

    with RecordingReader(Path(path)) as reader:
        reading = Reading(path, *reader.span())
    try:
        yield reading
    finally:
        reading.erase()
