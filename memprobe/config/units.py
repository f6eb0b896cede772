"""Units of settings, and what else they may be written in: 300 s is "5 min" too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number is in."""

    name: str
    """As it is printed behind the number."""

    letters: str = "N"
    """What stands for a number of it in the help of the command line."""

    others: Mapping[str, float] = field(default_factory=dict)
    """What it may be written in instead, and how much of it that is."""

    def factor(self, text: str) -> float | None:
        """Return how much of this unit the one named is; None if it cannot be one."""
        return 1.0 if text in ("", self.name) else self.others.get(text)

    @property
    def names(self) -> tuple[str, ...]:
        """All that a number may be written in."""
        return tuple(dict.fromkeys(filter(None, (self.name, *self.others))))


NONE = Unit("")
SECONDS = Unit("s", "S", {"ms": 1e-3, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0})
MINUTES = Unit("min", "MINUTES", {"s": 1 / 60, "m": 1.0, "h": 60.0, "d": 1440.0})
MEGABYTES = Unit("MB", "MB", {"B": 1 / (1 << 20), "kB": 1 / 1024, "GB": 1024.0})
PERCENT = Unit("%", "PCT")
DOLLARS = Unit("USD", "USD")
ENTRIES = Unit("entries")
PROBABILITY = Unit("", "P")

BYTES_PER_MB = 1 << 20

OF_SUFFIX = {"_s": SECONDS, "_minutes": MINUTES, "_mb": MEGABYTES, "_pct": PERCENT}
"""Units are in names: what the end of a name says."""


def unit_of(name: str) -> Unit:
    """Return the unit that a name ends with; NONE if it ends with none."""
    return next((unit for suffix, unit in OF_SUFFIX.items() if name.endswith(suffix)), NONE)
