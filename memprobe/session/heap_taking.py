"""The whole heap of the target into the recording: taken in a child, which may hang and may die with it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from memprobe.errors import MemprobeError
from memprobe.heap.keeping import take
from memprobe.recording import RecordingQueue
from memprobe.recording.heaps import spill
from memprobe.target.errand import Errand
from memprobe.vocab import TargetId

ASK_S = 0.05
"""Between two looks at whether it is done, where nothing else is to be done meanwhile."""

PATIENCE_S = 120.0
"""At the end of a run a heap gets so long: the report waits for it."""


class HeapTaking:
    """Takes a heap when it is told to, the last one counts; what went wrong is a sentence."""

    def __init__(self, queue: RecordingQueue, folder: Path) -> None:
        """What is taken lies in a nameless file in that folder until the recording has it."""
        self._queue, self._folder = queue, folder
        self._errand: Errand | None = None
        self._content: IO[bytes] | None = None
        self._leaving: list[Errand] = []
        self._is_taken = False
        self._why = "the process had ended before it was taken"

    @property
    def remark(self) -> str:
        """What is to be said in the report; "" if there is a heap."""
        return "" if self._is_taken else f"The heap that was to be kept (--heap): {self._why}."

    def begin(self, target: TargetId) -> None:
        """Take the heap of a process now, unless it is being taken just now."""
        if self._errand is not None:
            return
        try:
            # not in the memory that may be running out
            self._content = tempfile.TemporaryFile(dir=self._folder, prefix=".memprobe-")  # noqa: SIM115
        except OSError as error:
            self._why = f"{self._folder}: {error.strerror}"
            return
        descriptor = self._content.fileno()
        try:
            self._errand = Errand(_taking(target, descriptor), keeps=(descriptor,))
        except OSError as error:  # where memory runs out there may be none for a child
            self._why = f"no process could be started that takes it: {error.strerror}"
            self._retire()

    def poll(self) -> bool:
        """See whether it is there; return whether it is still being taken."""
        outcome = None if self._errand is None else self._errand.outcome()
        if outcome is None:
            return self._errand is not None
        assert self._content is not None
        if outcome.error is None:
            self._queue.write_heap([tuple(piece) for piece in outcome.result], self._content)
            self._is_taken, self._content = True, None
        else:
            error = outcome.error
            self._why = error.fact if isinstance(error, MemprobeError) else str(error)
        self._retire()
        return False

    def finish(self) -> None:
        """Wait until it is there, or is known not to come: a child that does nothing is given up.

        One that works on is given up as well, after PATIENCE_S.
        """
        deadline_s = time.monotonic() + PATIENCE_S
        while self.poll():
            if time.monotonic() >= deadline_s:
                self._why = f"it was not there {PATIENCE_S:.0f} s after the end of the run"
                self._retire()
                return
            time.sleep(ASK_S)

    def close(self) -> None:
        """End what is under way. May be called twice."""
        self._retire()
        deadline = time.monotonic() + 1.0
        while not self._collected() and time.monotonic() < deadline:
            time.sleep(0.001)

    def _retire(self) -> None:
        if self._errand is not None:
            self._errand.end()
            self._leaving.append(self._errand)
            self._errand = None
            self._collected()
        if self._content is not None:
            self._content.close()
            self._content = None

    def _collected(self) -> bool:
        self._leaving = [one for one in self._leaving if not one.is_collected()]
        return not self._leaving


def _taking(target: TargetId, descriptor: int) -> Callable[[], Any]:
    """Return the call for the child: what it returns says what is in the file."""

    def taking() -> Any:
        kept = take(target)
        with open(descriptor, "wb", closefd=False) as content:
            return spill(kept, content)

    return taking
