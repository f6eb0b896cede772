"""All settings of a run as one object: what everybody who is configured is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from memprobe.config.places import Place
from memprobe.config.protection import Protection
from memprobe.config.setting import Value
from memprobe.config.settings import (
    SECTIONS,
    SETTINGS,
    Budget,
    Intervals,
    Kinds,
    Recorded,
    Reporting,
    Running,
    Sampling,
    Thresholds,
)


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of a run."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    intervals: Intervals = field(default_factory=Intervals)
    sampling: Sampling = field(default_factory=Sampling)
    kinds: Kinds = field(default_factory=Kinds)
    budget: Budget = field(default_factory=Budget)
    run: Running = field(default_factory=Running)
    record: Recorded = field(default_factory=Recorded)
    report: Reporting = field(default_factory=Reporting)
    protect: tuple[Protection, ...] = ()
    """What is never reported."""

    preset: str = "default"
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)
    """By key: where its value came from, unless that is the table."""

    remarks: tuple[str, ...] = ()
    """Which files that were found do not count, and why."""

    def value(self, key: str) -> Value:
        """Return the value of a setting."""
        section, _, name = key.partition(".")
        value: Value = getattr(getattr(self, section), name)
        return value

    def place(self, key: str) -> Place:
        """Return where the value of a setting came from."""
        return self.places.get(key, Place())

    def having(self, values: Mapping[str, Value]) -> Config:
        """Return the settings with other values for some keys."""
        mine = {key: self.value(key) for key in SETTINGS}
        return Config.of(
            mine | dict(values),
            protect=self.protect,
            preset=self.preset,
            places=self.places,
            remarks=self.remarks,
        )

    def over(self, said: Config | None) -> Config:
        """Return the settings with what others set, wherever they do so."""
        if said is None:
            return self
        config = self.having({key: said.value(key) for key in said.places})
        return replace(config, protect=(*self.protect, *said.protect))

    @classmethod
    def of(cls, values: Mapping[str, Value], **others: Any) -> Config:
        """Return the settings with these values, by key; the others are as the table says."""
        given: dict[str, dict[str, Value]] = {}
        for key, value in values.items():
            section, _, name = key.partition(".")
            given.setdefault(section, {})[name] = value
        parts = {section: kind(**given.get(section, {})) for section, kind in SECTIONS.items()}
        return cls(**parts, **others)


DEFAULTS = Config()
