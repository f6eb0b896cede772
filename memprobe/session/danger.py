"""Whether a process is about to be killed for its memory, so that its heap is looked at while it is there.

Pure: readings and times are given.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from memprobe.target.proc.pressure import Pressure
from memprobe.views.quantities import size

SPAN_NS = 10_000_000_000
"""The growth of so long says when the limit is reached."""

SHORTEST_NS = 1_000_000_000
NEAR, SOON, SOON_S = 0.1, 0.4, 60.0
"""Room below a tenth of the limit is danger; below two fifths, if the rest is used up within a minute."""

STALLED_PCT = 10.0
"""So much of the time all tasks wait for memory: the kernel is about to give up."""

CLOSER = 0.6
"""The next look when so much of the room of the last one is left: the last look is close to the end."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Why a process is in danger, at one instant."""

    time_ns: int
    pressure: Pressure
    reached_in_s: float | None
    """When the limit is reached if it goes on like this; None if it does not grow."""

    def facts(self) -> dict[str, Any]:
        """As a recording keeps it."""
        return asdict(self)

    def __str__(self) -> str:
        pressure = self.pressure
        text = f"{size(pressure.used_bytes)} of {size(pressure.limit_bytes)} used"
        if self.reached_in_s is not None:
            text += f", the rest within {self.reached_in_s:.1f} s"
        if pressure.stalled_pct:
            text += f", stalled {pressure.stalled_pct:.0f} % of the time"
        return text


class Danger:
    """Takes readings, and says when to look at the heap."""

    def __init__(self) -> None:
        self._readings: deque[tuple[int, int]] = deque()
        self.first: Pressure | None = None
        """The first reading."""

        self._looked_room: int | None = None
        self.alarm: Alarm | None = None
        """The newest, if there ever was danger."""

    def add(self, time_ns: int, pressure: Pressure) -> bool:
        """Take a reading; return whether the heap should be looked at now."""
        self.first = self.first or pressure
        self._readings.append((time_ns, pressure.used_bytes))
        while time_ns - self._readings[0][0] > SPAN_NS:
            self._readings.popleft()
        left_s = self._left_s(pressure)
        if not self._is_dire(pressure, left_s):
            self._looked_room = None
            return False
        self.alarm = Alarm(time_ns, pressure, left_s)
        if self._looked_room is not None and pressure.room_bytes > CLOSER * self._looked_room:
            return False
        self._looked_room = pressure.room_bytes
        return True

    def kills(self, now: Pressure | None) -> int | None:
        """Return how many processes the kernel has killed for memory since the first reading.

        None if nobody says: the group is gone, or it is another one, whose counter counts others.
        """
        first = self.first
        if first is None or now is None or now.group != first.group:
            return None
        return None if first.kills is None or now.kills is None else now.kills - first.kills

    def _left_s(self, pressure: Pressure) -> float | None:
        (begin_ns, before), (end_ns, now) = self._readings[0], self._readings[-1]
        if end_ns - begin_ns < SHORTEST_NS or now <= before:
            return None
        return max(0, pressure.room_bytes) / (now - before) * (end_ns - begin_ns) / 1e9

    def _is_dire(self, pressure: Pressure, left_s: float | None) -> bool:
        room = pressure.room_bytes / pressure.limit_bytes if pressure.limit_bytes else 1.0
        is_soon = left_s is not None and left_s < SOON_S
        return room < NEAR or (room < SOON and is_soon) or (pressure.stalled_pct or 0.0) > STALLED_PCT
