"""What may be chosen about a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from memprobe.session.keeping import Keeping
from memprobe.vocab.finding import USD_PER_GB_HOUR


@dataclass(frozen=True, slots=True)
class Options:
    """What may be chosen about a run."""

    tree: bool = False
    max_overhead_pct: float = 1.0
    record: Path | None = None
    seed: int = 0
    usd_per_gb_hour: float = USD_PER_GB_HOUR
    keeping: Keeping = field(default_factory=Keeping)
    """How it is recorded."""

    learn: bool = False
    """Whether what earlier runs have learned counts, and this one is remembered."""
