"""Waiting for what must come: no test fails because a machine is slow, or because others are busy on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

PATIENCE_S = 300.0
"""So long anything is waited for: a program to start, an answer, a process to be gone."""

TRIES = 5
"""So often is tried what an undisturbed moment shows, and a moment in which others had the CPU does not."""


def until(condition: Callable[[], Result], pause_s: float = 0.02) -> Result:
    """Wait until a condition holds, and return what it came to."""
    end_s = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end_s, "waited too long"
        time.sleep(pause_s)
    return found
