"""Parts of a recording on the command line: --window A..B."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memprobe.errors import UsageError

if TYPE_CHECKING:
    from memprobe.session import Window

HELP = "Only from A to B: 90s..5m, 1h.., ..30s, -10m.. (from the end)."
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_INSTANT = re.compile(r"(-?)(\d{1,9}(?:\.\d{1,6})?)([smh]?)")


def window_of(text: str) -> Window:
    """Parse A..B; both ends are seconds, minutes or hours from the start, or from the end if negative."""
    from memprobe.session import Window

    begin, dots, end = text.partition("..")
    if not dots or not (begin or end):
        raise UsageError(f"--window: {text!r} is not of the form A..B", remedy="for example --window 5m..10m")
    return Window(_seconds(begin), _seconds(end))


def _seconds(text: str) -> float | None:
    if not text:
        return None
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise UsageError(f"--window: {text!r} is no time", remedy="write 90s, 5m, 1h, or -10m from the end")
    sign, number, unit = found.groups()
    return (-1 if sign else 1) * float(number) * _UNITS[unit]
