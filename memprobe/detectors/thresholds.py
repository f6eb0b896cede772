"""Every number that a detector compares with: the defaults in one table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is noticed from which value on."""

    confident: float = 0.5
    """From this confidence on it is a finding, below it a suspect."""

    shown: float = 0.1
    """Below this confidence nothing is said."""

    file_age_s: float = 60.0
    """An open file or socket that is younger is no leak yet."""

    timer_age_s: float = 300.0
    """A scheduled call that is younger is no leak yet."""

    cache_growth: int = 64
    """Entries that a collection must have gained; and callbacks, tasks or timers that there must be."""

    cache_items: int = 512
    """Entries that a collection must have, unless its growth is certain by itself."""

    heavy_bytes: int = 4 << 20
    """What takes so much more than at first need not be 100 entries, as many as a pool may have."""

    scan_s: float = 1.0
    """Between two looks at the lengths of what is watched."""

    memory_bytes: int = 100 << 20
    """A finding that holds so much is a warning even if no limit is near."""
