"""What the tracer has lost, by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from memprobe import abi


class Losses:
    """Differences since the last look."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}

    def take(self, counted: bytes, own: Mapping[str, int]) -> dict[str, int]:
        """What was lost since the last call: `counted` by the tracer, `own` are totals of memprobe itself."""
        slots = np.frombuffer(counted, "<u8").reshape(-1, 3)
        now = {loss.name: int(slots[loss.id, 2]) + own.get(loss.name, 0) for loss in abi.LOSSES}
        lost = {name: total - self._before.get(name, 0) for name, total in now.items()}
        self._before = now
        return {name: count for name, count in lost.items() if count}
