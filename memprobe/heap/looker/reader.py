"""What the child does: look when it is told to, and read lengths every second.

    {"look": [pid, start time]}      -> {"looked": pid, ...}, rows; {"failed": pid, ...} or {"renewed": pid}
    {"leave": [pid, start time]}     lets go of a process
    every second                     -> {"lengths": pid}, rows; {} if there is nothing to say

A process that has called exec is let go: {"renewed": pid} says that all its subjects have died. It is
looked at again when that is asked for the next time.
"""

from __future__ import annotations

import time
import traceback
from itertools import count
from typing import Any

from memprobe.errors import MemprobeError, TargetGone, TargetReplaced
from memprobe.heap.looker.followed import Followed, Looked
from memprobe.heap.room import limit_memory
from memprobe.target.companion import Link
from memprobe.vocab import TargetId
from memprobe.vocab.subject_lists import subject_to_list

BEAT_S = 1.0
"""Between two readings of lengths."""


class Reader:
    """Does what it is told until there are no more commands."""

    def __init__(self, link: Link, first_number: int) -> None:
        self._link = link
        self._numbers = count(first_number)
        self._followed: dict[TargetId, Followed] = {}
        self._beat_s = time.monotonic()

    def run(self) -> None:
        """Obey; returns when the parent has closed its end."""
        while (commands := self._link.commands(self._beat_s - time.monotonic())) is not None:
            for command in commands:
                self._obey(command)
            self._beat()

    def _obey(self, command: Any) -> None:
        match command:
            case {"look": [pid, start_time_ticks]}:
                self._look(TargetId(pid, start_time_ticks))
            case {"leave": [pid, start_time_ticks]}:
                self._leave(TargetId(pid, start_time_ticks))

    def _look(self, target: TargetId) -> None:
        limit_memory()  # what is available is another amount than last time
        try:
            self._tell_look(target.pid, self._held(target).look())
        except TargetReplaced:
            self._renew(target)
        except MemprobeError as error:
            self._fail(target, error.line)
        except Exception as error:  # noqa: BLE001 (a look that fails is no end of the run)
            trace = traceback.format_exc(limit=-2)
            self._fail(target, f"{type(error).__name__}: {error} (a bug in memprobe: {trace})")

    def _held(self, target: TargetId) -> Followed:
        if target not in self._followed:
            self._followed[target] = Followed(target, self._numbers)
        return self._followed[target]

    def _leave(self, target: TargetId) -> None:
        if target in self._followed:
            self._followed.pop(target).close()

    def _renew(self, target: TargetId) -> None:
        self._leave(target)
        self._link.tell({"renewed": target.pid})

    def _fail(self, target: TargetId, why: str) -> None:
        self._leave(target)
        self._link.tell({"failed": target.pid, "why": why})

    def _tell_look(self, pid: int, found: Looked) -> None:
        text = {
            "looked": pid,
            "subjects": [[number, *subject_to_list(one)] for number, one in found.subjects.items()],
            "remarks": found.remarks,
        }
        self._link.tell(text, found.look.tobytes() + found.populations.tobytes())

    def _beat(self) -> None:
        """Read all lengths if a second is over; a word each second says that nothing hangs."""
        if time.monotonic() < self._beat_s:
            return
        self._beat_s = time.monotonic() + BEAT_S
        self._link.tell({})
        for target in list(self._followed):
            self._tell_lengths(target)

    def _tell_lengths(self, target: TargetId) -> None:
        try:
            rows = self._followed[target].lengths()
        except TargetReplaced:
            self._renew(target)
        except (TargetGone, OSError):
            self._leave(target)
        else:
            if len(rows):
                self._link.tell({"lengths": target.pid}, rows.tobytes())
