"""What an application has ordered: one line of JSON from `memprobe/inside.py`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from memprobe.errors import UsageError

LINE_LIMIT = 1 << 20
_SOCKET = re.compile(r"memprobe-[0-9]{1,10}-[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Orders:
    """How a process wants to be watched."""

    socket: str
    """The abstract name under which it will ask."""

    threshold_mb: float | None = None
    """Nothing is said before a process takes so much memory."""

    preset: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the table of settings; they count more than files and environment."""

    patterns: tuple[str, ...] = ()
    """What is never reported."""


def parse_orders(line: str) -> Orders:
    """Parse a line of JSON; raises UsageError for one that is no order."""
    try:
        raw = json.loads(line)
        orders = Orders(
            socket=raw["socket"],
            threshold_mb=None if raw["threshold_mb"] is None else float(raw["threshold_mb"]),
            preset=raw["preset"],
            settings=dict(raw["settings"]),
            patterns=tuple(map(str, raw["patterns"])),
        )
        if _SOCKET.fullmatch(orders.socket):
            return orders
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise UsageError(
        "standard input has no orders of an application", remedy="`memprobe guard` is started by protect()"
    )
