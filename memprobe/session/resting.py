"""The rest between two ticks of a run: short, and shorter if there is news."""

from __future__ import annotations

import time

from memprobe.session.arming import Armed
from memprobe.target.proc.process import Process

TICK_S = 0.1
"""At least between two looks at the ring: at 200,000 events a second it is half full by then."""

CALM_S = 0.5
"""At most, if the programs do not call meanwhile (a new stack, a child, an end, a ring that fills)."""


def rest(armed: Armed, root: Process, scan_s: float) -> None:
    """Wait for the next tick, which comes at least as often as /proc is looked at, or for the end."""
    time.sleep(TICK_S)
    end_s = time.monotonic() + min(CALM_S, scan_s) - TICK_S
    while (left_s := end_s - time.monotonic()) > 0 and not root.has_ended():
        if armed.wait(min(TICK_S, left_s)):
            break
