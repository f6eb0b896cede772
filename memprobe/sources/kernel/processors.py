"""The processors of this machine, as the kernel counts them."""

from __future__ import annotations

import os


def possible_processors() -> int:
    """How many CPUs the kernel makes room for: those that may still be plugged in are counted."""
    try:
        with open("/sys/devices/system/cpu/possible", encoding="ascii") as file:
            return int(file.read().strip().replace(",", "-").split("-")[-1]) + 1
    except (OSError, ValueError):
        return os.cpu_count() or 1
