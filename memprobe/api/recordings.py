"""A recording: the reports that can be made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from memprobe.api.report import Report
from memprobe.config import Spoken, read_config
from memprobe.recording import RecordingReader
from memprobe.session import Window, replayed
from memprobe.views.report import document


class Recording:
    """A recording that is open; made by `open_recording`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._span_ns: tuple[int, int] | None = None

    def __enter__(self) -> Recording:
        # Not held open: of one that is being written SQLite would keep all that it was at the start.
        with RecordingReader(self.path) as reader:
            self._span_ns = reader.span()
        return self

    def __exit__(self, *exception: object) -> None:
        self._span_ns = None

    @property
    def duration_s(self) -> float:
        """How long it was when the block began."""
        if self._span_ns is None:
            raise ValueError(f"{self.path} is not open: use it in a with statement")
        first_ns, last_ns = self._span_ns
        return (last_ns - first_ns) / 1e9

    def report(
        self,
        begin_s: float | None = None,
        end_s: float | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        patterns: Sequence[str] = (),
    ) -> Report:
        """Return the report of the run, or of a part of it; negative seconds count from its end.

        It is judged by the settings of the run, and by those that are given here.
        """
        spoken = Spoken(options=settings or {}, protect=tuple(patterns))
        said = read_config(spoken, {}, searches=False)
        ledger, run = replayed(self.path, said, window=Window(begin_s, end_s))
        return Report.from_dict(document(ledger, run))


def open_recording(path: Path | str) -> Recording:
    """Return a context manager that has a recording open; raises UnreadableRecording when it is entered."""
    return Recording(Path(path))
