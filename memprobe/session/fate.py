"""What becomes of the target: watched while it runs, if that is asked for, and told when it has ended."""

from __future__ import annotations

import signal
from dataclasses import asdict
from typing import Any

from memprobe.session.danger import Danger
from memprobe.target.proc.ending import Ending, ending_of
from memprobe.target.proc.main_thread import WHY, lost_main_thread
from memprobe.target.proc.pressure import memory_pressure, pressure_again
from memprobe.target.proc.process import Process

HURRY_NS = 3_000_000_000
"""So long after an alarm everything is asked at every tick, and what it says is committed at once."""


class Fate:
    """The end of a process: whether it is near, and what it was."""

    def __init__(self, process: Process, *, is_watched: bool) -> None:
        self._process, self._is_watched = process, is_watched
        self._danger = Danger()
        self._hurried_ns = 0
        self._ending: Ending | None = None
        self._runs_on = False
        """Whether only its main thread has ended, without which it cannot be read."""
        self._kills: int | None = None
        if (pressure := memory_pressure(process)) is not None:
            self._danger.add(0, pressure)

    def is_near(self, now_ns: int) -> bool:
        """Tell whether the heap should be looked at now, because there may be no later."""
        pressure = memory_pressure(self._process) if self._is_watched else None
        if pressure is None or not self._danger.add(now_ns, pressure):
            return False
        self._hurried_ns = now_ns
        return True

    def is_hurried(self, now_ns: int) -> bool:
        """Tell whether an alarm was just now."""
        return bool(self._hurried_ns) and now_ns - self._hurried_ns < HURRY_NS

    def settle(self) -> None:
        """The process has ended: see how."""
        self._ending = self._ending or ending_of(self._process)
        self._runs_on = not self._process.has_ended() and lost_main_thread(self._process.folder) is not None
        first = self._danger.first
        if self._ending is not None and self._ending.signal == signal.SIGKILL and first is not None:
            self._kills = self._danger.kills(pressure_again(first))

    def told(self, after_s: float, since: str = "attach") -> str:
        """Say what became of it, so long after the attach or the start."""
        if self._runs_on:
            return f"its main thread ended {after_s:.1f} s after the {since}; others run on, but {WHY}"
        text = "it ended" if self._ending is None else f"it {self._ending}"
        if self._kills:
            text += " for its memory by the kernel (out of memory)"
        text += f" {after_s:.1f} s after the {since}"
        alarm = self._danger.alarm
        return text if alarm is None else f"{text}; shortly before: {alarm}"

    def facts(self) -> dict[str, Any]:
        """As a recording keeps it."""
        ending, alarm = self._ending, self._danger.alarm
        return {
            "ending": None if ending is None else asdict(ending) | {"killed_for_memory": self._for_memory()},
            "danger": None if alarm is None else alarm.facts(),
        }

    def _for_memory(self) -> bool | None:
        """Tell whether the kernel killed it for its memory; None if that is not known."""
        if self._ending is None or self._ending.signal != signal.SIGKILL:
            return False
        return None if self._kills is None else self._kills > 0
