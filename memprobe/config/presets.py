"""Other defaults for many settings at once, by the name of what they are good for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from memprobe.config.setting import Value


@dataclass(frozen=True, slots=True)
class Preset:
    """Other defaults for some settings: what is set anywhere counts all the same."""

    meaning: str
    values: Mapping[str, Value] = field(default_factory=dict)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "default": Preset("As the table says."),
        "production": Preset(
            "A service under load: half the budget, seldom looks, and only what is rather sure.",
            {
                "budget.slowdown_pct": 0.5,
                "budget.cpu_pct": 2.5,
                "budget.heap_pct": 1.0,
                "intervals.scan_s": 2.0,
                "intervals.picture_s": 10.0,
                "intervals.heap_early_s": 5.0,
                "intervals.heap_s": 60.0,
                "thresholds.confident": 0.7,
                "report.min_confidence": 0.7,
            },
        ),
        "development": Preset(
            "A program at one's desk: five times the budget, and small leaks are told, too.",
            {
                "budget.slowdown_pct": 5.0,
                "budget.cpu_pct": 25.0,
                "budget.heap_pct": 10.0,
                "intervals.heap_s": 5.0,
                "thresholds.cache_growth": 32,
                "thresholds.cache_items": 128,
                "thresholds.memory_mb": 50.0,
            },
        ),
        "aggressive": Preset(
            "The hunt for one leak: what it costs does not matter, and every suspicion is told.",
            {
                "budget.slowdown_pct": 20.0,
                "budget.cpu_pct": 100.0,
                "budget.heap_pct": 50.0,
                "intervals.scan_s": 0.5,
                "intervals.picture_s": 1.0,
                "intervals.heap_early_s": 1.0,
                "intervals.heap_s": 2.0,
                "sampling.growth_pages": 16,
                "thresholds.shown": 0.05,
                "thresholds.file_age_s": 10.0,
                "thresholds.timer_age_s": 60.0,
                "thresholds.cache_growth": 16,
                "thresholds.cache_items": 64,
                "thresholds.heavy_mb": 1.0,
                "thresholds.memory_mb": 10.0,
            },
        ),
    }
)
